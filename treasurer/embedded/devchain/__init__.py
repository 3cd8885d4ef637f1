"""A development chain: one process, chain id 31337, JSON-RPC. Must never hold anything of value.

Its keys are the public test mnemonic's; blocks, state and accepted transactions lie in one SQLite file.
"""

from treasurer.embedded.devchain.precompiles import leave_out_prague

leave_out_prague()
