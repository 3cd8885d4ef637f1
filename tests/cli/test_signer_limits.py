"""What `treasurer init` lets the signer sign: the contract for batches is pinned where there is one."""

from dataclasses import replace

import pytest

from signer.limits import Spender
from treasurer.chain.networks import PinnedContract, load_profile, shipped_profile
from treasurer.cli.answers import Answers, TokenCap
from treasurer.cli.signer_folder import signer_limits
from treasurer.kernel.money import Asset
from treasurer.settings import Settings

WALLET, TOKEN, DISPERSE = "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "d1" * 20


@pytest.mark.parametrize(
    ("disperse", "spenders", "allowance_minor"),
    [
        (None, (), 0),
        (
            PinnedContract(DISPERSE, bytes(32)),
            (Spender(31337, DISPERSE, "Disperse"),),
            25_000_000_000,
        ),
    ],
    ids=["no contract", "disperse"],
)
def test_the_disperse_contract_is_pinned_with_a_days_allowance(
    disperse: PinnedContract | None, spenders: tuple[Spender, ...], allowance_minor: int
) -> None:
    text = shipped_profile("development")
    network = replace(load_profile(text, token_addresses={"USDC": TOKEN}), disperse=disperse)
    answers = Answers(
        network=network,
        network_text=text,
        organization="Norwick",
        reporting=Asset("USD", 2),
        monthly_burn_minor=None,
        people=(),
        policy_text="",
        payees=(),
        payees_csv=None,
        enroll_payees=False,
        key=None,
        caps={"USDC": TokenCap(10_000_000_000, 25_000_000_000)},
        wallet_label="treasury",
    )
    limits = signer_limits(Settings(), answers, WALLET)
    assert limits.spenders == spenders
    assert [token.allowance_minor for token in limits.tokens] == [allowance_minor]
