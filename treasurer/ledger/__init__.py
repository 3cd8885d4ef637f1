"""The double-entry ledger: accounts, holds, journal entries and their postings."""
