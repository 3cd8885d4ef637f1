# pragma version ^0.4.3
# pragma evm-version cancun
"""
@title UpgradableProxy
@notice Runs the code of `implementation` on its own storage; its admin may change it. For tests.
@dev `UpgradableProxy.layout.json` puts both variables into the slots that EIP-1967 names, so that
     they meet nothing of the implementation's and a node's reader finds them where it looks.
"""

event Upgraded:
    implementation: indexed(address)

implementation: address
admin: address


@deploy
def __init__(implementation: address):
    self.implementation = implementation
    self.admin = msg.sender
    log Upgraded(implementation=implementation)


@external
def upgrade_to(implementation: address):
    assert msg.sender == self.admin, "UpgradableProxy: only the admin"
    self.implementation = implementation
    log Upgraded(implementation=implementation)


@external
@raw_return
def __default__() -> Bytes[1024]:
    return raw_call(
        self.implementation, msg.data, max_outsize=1024, is_delegate_call=True
    )
