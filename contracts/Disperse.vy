# pragma version ^0.4.3
# pragma evm-version cancun
# pragma optimize gas
"""
@title Disperse
@notice Pays many recipients of one token out of the caller's allowance: all of them, or none.
@dev Nobody owns it, it holds nothing and takes no ether. A batch id runs once for each sender,
     so a batch that was signed again under another nonce cannot pay a second time. The id is marked
     before the first call to the token, and the token cannot come back in.
"""

from ethereum.ercs import IERC20

MOST_PAYMENTS: constant(uint256) = 100

event Dispersed:
    sender: indexed(address)
    batch_id: indexed(bytes32)
    token: indexed(address)
    payments: uint256

# By sender and batch id: what was paid.
dispersed: public(HashMap[address, HashMap[bytes32, bool]])


@external
@nonreentrant
def disperse(
    token: address,
    batch_id: bytes32,
    recipients: DynArray[address, MOST_PAYMENTS],
    amounts: DynArray[uint256, MOST_PAYMENTS],
):
    """
    @notice Move `amounts[i]` of `token` from the caller to `recipients[i]`, for each i in turn.
    @dev A token that returns nothing is taken to have paid, one that returns false is not. An
         address without code reverts.
    """
    count: uint256 = len(recipients)
    assert count > 0, "Disperse: nothing to pay"
    assert count == len(amounts), "Disperse: lengths differ"
    assert not self.dispersed[msg.sender][batch_id], "Disperse: batch was paid"
    self.dispersed[msg.sender][batch_id] = True
    for i: uint256 in range(count, bound=MOST_PAYMENTS):
        paid: bool = extcall IERC20(token).transferFrom(
            msg.sender, recipients[i], amounts[i], default_return_value=True
        )
        assert paid, "Disperse: token refused"
    log Dispersed(sender=msg.sender, batch_id=batch_id, token=token, payments=count)
