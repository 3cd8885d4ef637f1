# pragma version ^0.4.3
# pragma evm-version cancun
"""
@title OddToken
@notice An ERC-20 that misbehaves as its owner says. For tests.
@dev One source for many tokens: any decimals, false instead of a revert, always a revert, a fee on
     each transfer, a pause, a blocklist, rebasing, a call out while transferring, a second address.
     `initialize` serves a proxy, whose storage no constructor fills.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

flag Mode:
    RETURNS_FALSE
    REVERTS

SCALE: constant(uint256) = 10**18

owner: public(address)
decimals: public(uint8)
mode: public(Mode)
fee_basis_points: public(uint256)
paused: public(bool)
blocked: public(HashMap[address, bool])
scale: public(uint256)
twin: public(address)
hook: public(address)
hook_call: public(Bytes[16384])
hook_succeeded: public(bool)
shares: HashMap[address, uint256]
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(token_decimals: uint8, mode: Mode, fee_basis_points: uint256):
    self._initialize(token_decimals, mode, fee_basis_points)


@external
def initialize(token_decimals: uint8, mode: Mode, fee_basis_points: uint256):
    assert self.owner == empty(address), "OddToken: initialized"
    self._initialize(token_decimals, mode, fee_basis_points)


@internal
def _initialize(token_decimals: uint8, mode: Mode, fee_basis_points: uint256):
    self.owner = msg.sender
    self.decimals = token_decimals
    self.mode = mode
    self.fee_basis_points = fee_basis_points
    self.scale = SCALE


@external
def mint(receiver: address, amount: uint256):
    self._only_owner()
    self.shares[receiver] += amount * SCALE // self.scale
    log Transfer(sender=empty(address), receiver=receiver, value=amount)


@external
def set_mode(mode: Mode):
    self._only_owner()
    self.mode = mode


@external
def set_paused(paused: bool):
    self._only_owner()
    self.paused = paused


@external
def set_blocked(holder: address, blocked: bool):
    self._only_owner()
    self.blocked[holder] = blocked


@external
def rebase(numerator: uint256, denominator: uint256):
    """
    @notice Multiply every balance, without a log.
    """
    self._only_owner()
    self.scale = self.scale * numerator // denominator


@external
def set_twin(twin: address):
    """
    @notice A second address through which holders reach the same balances.
    """
    self._only_owner()
    self.twin = twin


@external
def set_hook(target: address, data: Bytes[16384]):
    """
    @notice Call `target` in the midst of each transfer; `hook_succeeded` tells what came of it.
    """
    self._only_owner()
    self.hook = target
    self.hook_call = data


@external
@view
def balanceOf(holder: address) -> uint256:
    return self.shares[holder] * self.scale // SCALE


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return self._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    allowed: uint256 = self.allowance[sender][msg.sender]
    assert allowed >= amount, "OddToken: allowance too small"
    self.allowance[sender][msg.sender] = allowed - amount
    return self._move(sender, receiver, amount)


@external
def transfer_for(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice `transfer`, as the twin passes it on.
    """
    assert msg.sender == self.twin, "OddToken: not the twin"
    return self._move(sender, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256) -> bool:
    assert self.mode != Mode.REVERTS, "OddToken: reverts"
    assert not self.paused, "OddToken: paused"
    assert not self.blocked[sender] and not self.blocked[receiver], "OddToken: blocked"
    if self.mode == Mode.RETURNS_FALSE:
        return False
    if self.hook != empty(address):
        self.hook_succeeded = raw_call(self.hook, self.hook_call, revert_on_failure=False)
    fee: uint256 = amount * self.fee_basis_points // 10000
    self.shares[sender] -= amount * SCALE // self.scale
    self.shares[receiver] += (amount - fee) * SCALE // self.scale
    log Transfer(sender=sender, receiver=receiver, value=amount - fee)
    if fee > 0:
        self.shares[self.owner] += fee * SCALE // self.scale
        log Transfer(sender=sender, receiver=self.owner, value=fee)
    return True


@internal
@view
def _only_owner():
    assert msg.sender == self.owner, "OddToken: only the owner"
