"""Owns what web3 need not compute: the tables of BLS12-381, for the key files of validators (EIP-2335).

Must never stand in for a curve that signs or verifies. web3 loads eth_keyfile, which loads these tables
when it is imported: two thirds of web3's own start, for files that no process of ours reads.
"""

import sys
from types import ModuleType

_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""Of the curve's group; eth_keyfile compares keys with it."""


def leave_out_validators() -> None:
    """Call it before web3 is imported; afterwards it changes nothing. Reading such a file fails then."""
    for name, content in (
        ("py_ecc.bls", {"G2ProofOfPossession": None}),
        ("py_ecc.bls12_381", {"curve_order": _ORDER}),
    ):
        left_out = ModuleType(name)
        left_out.__dict__.update(content)
        sys.modules.setdefault(name, left_out)
