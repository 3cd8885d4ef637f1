# pragma version ^0.4.3
# pragma evm-version cancun
"""
@title TestUSD
@notice A stablecoin of six decimals for development chains. Whoever deploys it may mint.
@dev ERC-20. Name, symbol and owner lie in storage, not in the code, so that the runtime code
     (and its hash, which the network profile pins) is the same wherever it is deployed.
"""

from ethereum.ercs import IERC20

implements: IERC20

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

decimals: public(constant(uint8)) = 6

name: public(String[32])
symbol: public(String[8])
owner: public(address)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(token_name: String[32], token_symbol: String[8]):
    self.name = token_name
    self.symbol = token_symbol
    self.owner = msg.sender


@external
def mint(receiver: address, amount: uint256) -> bool:
    assert msg.sender == self.owner, "TestUSD: only the owner mints"
    assert receiver != empty(address), "TestUSD: mint to the zero address"
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, value=amount)
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    allowed: uint256 = self.allowance[sender][msg.sender]
    assert allowed >= amount, "TestUSD: allowance too small"
    # An unlimited allowance stays unlimited, as wallets and batch contracts expect.
    if allowed != max_value(uint256):
        self.allowance[sender][msg.sender] = allowed - amount
    self._move(sender, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert receiver != empty(address), "TestUSD: transfer to the zero address"
    assert self.balanceOf[sender] >= amount, "TestUSD: balance too small"
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, value=amount)
