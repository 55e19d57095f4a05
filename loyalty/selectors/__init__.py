"""Reads of the loyalty app."""

from loyalty.selectors.balances import Balance, balance_of, balances_of, past_balance_of
from loyalty.selectors.earning import Earning, Terms, bonus_of, earning_of
from loyalty.selectors.journal import (
    Totals,
    find_account,
    get_totals,
    list_accounts,
    list_transactions,
    transactions_of,
)
from loyalty.selectors.programme import (
    conditions_of,
    find_programme,
    get_programme,
    terms_of,
)
from loyalty.selectors.verification import Drift, Verification, verify_ledger

__all__ = [
    "Balance",
    "Drift",
    "Earning",
    "Terms",
    "Totals",
    "Verification",
    "balance_of",
    "balances_of",
    "bonus_of",
    "conditions_of",
    "earning_of",
    "find_account",
    "find_programme",
    "get_programme",
    "get_totals",
    "list_accounts",
    "list_transactions",
    "past_balance_of",
    "terms_of",
    "transactions_of",
    "verify_ledger",
]
