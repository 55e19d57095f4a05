"""Pages of the loyalty app."""

from django.urls import path

from loyalty.views import (
    adjustments,
    conditions,
    members,
    memberships,
    overview,
    public,
    redemptions,
    rewards,
    rules,
    simulator,
    tiers,
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
    path("loyalty/members/<slug:ref>/tier/", tiers.member_tier, name="member_tier"),
    path("loyalty/members/<slug:ref>/freeze/", memberships.member_freeze, name="member_freeze"),
    path("loyalty/members/<slug:ref>/close/", memberships.member_close, name="member_close"),
    path("loyalty/members/<slug:ref>/card/", memberships.member_card, name="member_card"),
    path("loyalty/members/<slug:ref>/adjust/", adjustments.adjustment_new, name="adjustment_new"),
    path("loyalty/adjustments/", adjustments.adjustments, name="adjustments"),
    path(
        "loyalty/adjustments/<slug:ref>/decide/",
        adjustments.adjustment_decide,
        name="adjustment_decide",
    ),
    path(
        "loyalty/adjustments/<slug:ref>/reviewed/",
        adjustments.adjustment_reviewed,
        name="adjustment_reviewed",
    ),
    path("loyalty/anomalies/", adjustments.anomalies, name="anomalies"),
    path("loyalty/rules/<slug:ref>/lift/", rules.rule_lift, name="rule_lift"),
    path("loyalty/tiers/", tiers.tiers, name="tiers"),
    path("loyalty/tiers/new/", tiers.tier_new, name="tier_new"),
    path("loyalty/tiers/<slug:ref>/", tiers.tier_edit, name="tier_edit"),
    path("loyalty/tiers/<slug:ref>/remove/", tiers.tier_remove, name="tier_remove"),
    path("loyalty/terms/", conditions.conditions, name="conditions"),
    path("loyalty/terms/edit/", conditions.conditions_edit, name="conditions_edit"),
    path("loyalty/terms/preview/", conditions.conditions_preview, name="conditions_preview"),
    path("programme/", public.terms, name="terms"),
    path("me/points/", public.my_points, name="my_points"),
    path("me/tier/", public.my_tier, name="my_tier"),
    path("me/rewards/", public.my_rewards, name="my_rewards"),
]
