# pragma version ^0.4.3
# pragma evm-version cancun
"""
@title SecondAddress
@notice Another address of an OddToken: the same balances, and the logs come from the first. For tests.
"""

interface OddToken:
    def transfer_for(sender: address, receiver: address, amount: uint256) -> bool: nonpayable
    def balanceOf(holder: address) -> uint256: view
    def decimals() -> uint8: view

token: public(OddToken)


@deploy
def __init__(token: address):
    self.token = OddToken(token)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return extcall self.token.transfer_for(msg.sender, receiver, amount)


@external
@view
def balanceOf(holder: address) -> uint256:
    return staticcall self.token.balanceOf(holder)


@external
@view
def decimals() -> uint8:
    return staticcall self.token.decimals()
