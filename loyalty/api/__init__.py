"""The API of points: ``/api/v1/loyalty/``."""

from django.urls import path

from loyalty.api.accounts import AccountDetail, AccountList, AccountOffers, AccountStanding
from loyalty.api.adjustments import (
    AdjustmentApproval,
    AdjustmentDetail,
    AdjustmentList,
    AdjustmentRefusal,
)
from loyalty.api.holds import HoldCapture, HoldDetail, HoldList, HoldVoid
from loyalty.api.journal import TransactionList
from loyalty.api.redemptions import (
    RedemptionDetail,
    RedemptionList,
    RedemptionReversal,
    VoucherCheck,
    VoucherUsing,
)
from loyalty.api.rewards import RewardDetail, RewardList
from loyalty.api.rules import RuleList, SimulationView

api_urls = [
    path("loyalty/accounts/", AccountList.as_view(), name="api-loyalty-accounts"),
    path("loyalty/accounts/<slug:ref>/", AccountDetail.as_view(), name="api-loyalty-account"),
    path(
        "loyalty/accounts/<slug:ref>/offers/",
        AccountOffers.as_view(),
        name="api-loyalty-account-offers",
    ),
    path(
        "loyalty/accounts/<slug:ref>/standing/",
        AccountStanding.as_view(),
        name="api-loyalty-account-standing",
    ),
    path("loyalty/transactions/", TransactionList.as_view(), name="api-loyalty-transactions"),
    path("loyalty/rewards/", RewardList.as_view(), name="api-loyalty-rewards"),
    path("loyalty/rewards/<slug:ref>/", RewardDetail.as_view(), name="api-loyalty-reward"),
    path("loyalty/redemptions/", RedemptionList.as_view(), name="api-loyalty-redemptions"),
    path(
        "loyalty/redemptions/<slug:ref>/",
        RedemptionDetail.as_view(),
        name="api-loyalty-redemption",
    ),
    path(
        "loyalty/redemptions/<slug:ref>/reverse/",
        RedemptionReversal.as_view(),
        name="api-loyalty-redemption-reverse",
    ),
    path("loyalty/vouchers/check/", VoucherCheck.as_view(), name="api-loyalty-voucher-check"),
    path("loyalty/vouchers/use/", VoucherUsing.as_view(), name="api-loyalty-voucher-use"),
    path("loyalty/holds/", HoldList.as_view(), name="api-loyalty-holds"),
    path("loyalty/holds/<slug:ref>/", HoldDetail.as_view(), name="api-loyalty-hold"),
    path(
        "loyalty/holds/<slug:ref>/capture/",
        HoldCapture.as_view(),
        name="api-loyalty-hold-capture",
    ),
    path("loyalty/holds/<slug:ref>/void/", HoldVoid.as_view(), name="api-loyalty-hold-void"),
    path("loyalty/adjustments/", AdjustmentList.as_view(), name="api-loyalty-adjustments"),
    path(
        "loyalty/adjustments/<slug:ref>/",
        AdjustmentDetail.as_view(),
        name="api-loyalty-adjustment",
    ),
    path(
        "loyalty/adjustments/<slug:ref>/approve/",
        AdjustmentApproval.as_view(),
        name="api-loyalty-adjustment-approve",
    ),
    path(
        "loyalty/adjustments/<slug:ref>/refuse/",
        AdjustmentRefusal.as_view(),
        name="api-loyalty-adjustment-refuse",
    ),
    path("loyalty/rules/", RuleList.as_view(), name="api-loyalty-rules"),
    path("loyalty/simulate/", SimulationView.as_view(), name="api-loyalty-simulate"),
]
