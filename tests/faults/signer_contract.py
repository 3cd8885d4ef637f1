"""What the laboratory, and the saga, rely on of a signer. One function, so that any signer can be asked."""

from collections.abc import Sequence
from dataclasses import replace

from tests.faults.signers import Signs
from treasurer.chain.signer_client import SignedAttempt, SignerRefusal
from treasurer.kernel.signing import SignPayment
from treasurer.kernel.transaction import FeeTerms


async def broken_promises(signer: Signs, first: SignPayment, other: SignPayment) -> list[str]:
    """What `signer` does that a signer with a journal never does. `other` is another order's request
    for the same slot.
    """
    faults = []
    (signed,) = await signer.sign([first])
    (again,) = await signer.sign([first])
    if not isinstance(signed, SignedAttempt):
        return ["refused a first payment"]
    if again != signed:
        faults.append("answered the same request with other bytes")
    dearer = replace(first, fees=_dearer(first.fees))
    for name, request in (("other fees", dearer), ("another order", other)):
        if not _refused(await signer.sign([request])):
            faults.append(f"signed {name} as the same attempt")
    return faults


def _refused(answers: Sequence[SignedAttempt | SignerRefusal]) -> bool:
    return all(isinstance(answer, SignerRefusal) for answer in answers)


def _dearer(fees: FeeTerms) -> FeeTerms:
    return replace(fees, max_fee_per_gas_wei=fees.max_fee_per_gas_wei * 2)
