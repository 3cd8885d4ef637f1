"""Owns what the chain leaves out of py-evm: the BLS12-381 contracts of Prague, a fork we do not run.

Must never stand in for a contract that Cancun has. py-evm loads the modules of all forks, and the
curve's tables are computed when they are loaded: a third of the chain's start, for nothing.
"""

import sys
from types import ModuleType
from typing import NoReturn

from treasurer.kernel.errors import InvariantViolated

LEFT_OUT = "eth.precompiles.bls12_381"


class _LeftOut(ModuleType):
    """Lets py-evm name these contracts. Cancun has them at no address, so that none is ever called."""

    def __getattr__(self, name: str) -> object:
        if not name.startswith("bls12_"):
            raise AttributeError(name)
        return _refuse


def leave_out_prague() -> None:
    """Call it before `eth` is imported; afterwards it changes nothing."""
    sys.modules.setdefault(LEFT_OUT, _LeftOut(LEFT_OUT))


def _refuse(*_: object) -> NoReturn:
    raise InvariantViolated("DEVCHAIN_FORK", "the development chain runs Cancun, without BLS12-381")
