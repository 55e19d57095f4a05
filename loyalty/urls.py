"""Pages of the loyalty app."""

from django.urls import path

from loyalty.views import (
    members,
    overview,
    public,
    redemptions,
    reports,
    rewards,
    rules,
    simulator,
)

app_name = "loyalty"

urlpatterns = [
    path("loyalty/", overview.programme, name="programme"),
    path("loyalty/rules/", rules.rules, name="rules"),
    path("loyalty/rules/new/", rules.rule_new, name="rule_new"),
    path("loyalty/rules/preview/", rules.rule_preview, name="rule_preview"),
    path("loyalty/rules/products/", rules.rule_products, name="rule_products"),
    path("loyalty/rules/<slug:ref>/", rules.rule, name="rule"),
    path("loyalty/rules/<slug:ref>/edit/", rules.rule_edit, name="rule_edit"),
    path("loyalty/rules/<slug:ref>/stop/", rules.rule_stop, name="rule_stop"),
    path("loyalty/products/", rules.product_options, name="product_options"),
    path("loyalty/simulator/", simulator.simulator, name="simulator"),
    path("loyalty/rewards/", rewards.rewards, name="rewards"),
    path("loyalty/rewards/new/", rewards.reward_new, name="reward_new"),
    path("loyalty/rewards/<slug:ref>/", rewards.reward_edit, name="reward_edit"),
    path("loyalty/rewards/<slug:ref>/stop/", rewards.reward_stop, name="reward_stop"),
    path("loyalty/redemptions/", redemptions.redemptions, name="redemptions"),
    path(
        "loyalty/redemptions/<slug:ref>/reverse/",
        redemptions.redemption_reverse,
        name="redemption_reverse",
    ),
    path("loyalty/vouchers/", redemptions.vouchers, name="vouchers"),
    path("loyalty/members/", members.members, name="members"),
    path("loyalty/members/<slug:ref>/", members.member, name="member"),
    path("loyalty/reports/", reports.reports, name="reports"),
    path("loyalty/reports/ledger/", reports.ledger_check, name="ledger_check"),
    path("loyalty/reports/liability/", reports.report_liability, name="report_liability"),
    path("loyalty/reports/tiers/", reports.report_tiers, name="report_tiers"),
    path("loyalty/reports/<slug:month>/", reports.report_month, name="report_month"),
    path("programme/", public.terms, name="terms"),
    path("me/points/", public.my_points, name="my_points"),
]
