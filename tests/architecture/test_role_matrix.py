"""Who may open which URL. Every URL stands in the table; each role asks each of them for real.

Over 500 lines, and one noun: the table has a row for every URL, to be read from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.architecture.urls import all_urls
from tests.architecture.world import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

ROLES = ("nobody", "customer", "staff", "analyst", "manager", "admin")
EVERYBODY = frozenset(ROLES)
SIGNED_IN = EVERYBODY - {"nobody"}
STAFF = SIGNED_IN - {"customer"}
WRITERS = STAFF - {"analyst"}
FIGURES = STAFF - {"staff"}
MANAGERS = frozenset({"manager", "admin"})
ADMINS = frozenset({"admin"})
CUSTOMER = frozenset({"customer"})
NO = frozenset[str]()  # nobody: the method does not exist

# URL name: (who may GET, who may POST)
MATRIX: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # front door
    "home": (EVERYBODY, NO),
    "live": (EVERYBODY, NO),
    "ready": (EVERYBODY, NO),
    "prometheus": (frozenset({"admin"}), NO),  # and monitoring on the same machine
    "set_language": (NO, EVERYBODY),
    "common:undo": (NO, SIGNED_IN),
    # signing in
    "account_login": (EVERYBODY, EVERYBODY),
    "account_request_login_code": (EVERYBODY, EVERYBODY),
    "account_confirm_login_code": (SIGNED_IN, SIGNED_IN),  # or in the middle of signing in
    "account_logout": (EVERYBODY, EVERYBODY),
    "account_inactive": (EVERYBODY, NO),
    "account_reauthenticate": (STAFF, STAFF),
    "account_change_password": (STAFF, STAFF),
    "account_reset_password": (EVERYBODY, EVERYBODY),
    "account_reset_password_done": (EVERYBODY, NO),
    "account_reset_password_from_key": (EVERYBODY, EVERYBODY),
    "account_reset_password_from_key_done": (EVERYBODY, NO),
    "mfa_index": (STAFF, NO),
    "mfa_authenticate": (SIGNED_IN, SIGNED_IN),  # or in the middle of signing in
    "mfa_reauthenticate": (STAFF, STAFF),
    "mfa_activate_totp": (STAFF, STAFF),
    "mfa_deactivate_totp": (STAFF, STAFF),
    "mfa_view_recovery_codes": (STAFF, NO),
    "mfa_generate_recovery_codes": (STAFF, STAFF),
    "mfa_download_recovery_codes": (STAFF, STAFF),
    # customers and their own page
    "crm:customer_list": (STAFF, NO),
    "crm:customer_count": (STAFF, NO),
    "crm:customer_bulk": (NO, WRITERS),
    "crm:customer_bulk_task": (WRITERS, NO),
    "crm:customer_export": (NO, FIGURES),
    "crm:list_export": (NO, FIGURES),  # each list: tests/crm/test_exports.py
    "crm:view_save": (NO, STAFF),
    "crm:view_change": (NO, STAFF),
    "crm:view_delete": (NO, STAFF),
    "crm:palette": (STAFF, NO),
    "crm:customer_new": (WRITERS, WRITERS),
    "crm:customer": (STAFF, NO),
    "crm:customer_edit": (WRITERS, WRITERS),
    "crm:customer_consent": (NO, WRITERS),
    "crm:customer_timeline": (STAFF, NO),
    "crm:customer_privacy": (STAFF, NO),
    "crm:customer_data": (NO, MANAGERS),
    "crm:customer_erase": (ADMINS, ADMINS),
    "crm:privacy": (ADMINS, ADMINS),
    "crm:privacy_preview": (ADMINS, NO),
    "crm:privacy_came_back": (NO, ADMINS),
    "crm:customer_orders": (STAFF, NO),
    "crm:customer_summary": (STAFF, NO),
    "crm:customer_panels": (STAFF, NO),
    "crm:customer_details": (STAFF, NO),
    "crm:customer_contact_points": (NO, WRITERS),
    "crm:customer_tags": (NO, WRITERS),
    "crm:customer_files": (NO, WRITERS),
    "crm:customer_file": (WRITERS, NO),
    "crm:customer_file_remove": (NO, WRITERS),
    "crm:customer_notes": (WRITERS, WRITERS),
    "crm:note_edit": (WRITERS, WRITERS),
    "crm:note_archive": (NO, WRITERS),
    "crm:tag_list": (MANAGERS, MANAGERS),
    "crm:custom_field_list": (MANAGERS, NO),
    "crm:custom_field_new": (MANAGERS, MANAGERS),
    "crm:custom_field_edit": (MANAGERS, MANAGERS),
    "crm:custom_field_archive": (NO, MANAGERS),
    "crm:me": (SIGNED_IN, NO),
    "crm:my_consent": (CUSTOMER, CUSTOMER),
    "crm:my_data": (CUSTOMER, CUSTOMER),
    "crm:my_language": (NO, CUSTOMER),
    # contacts, inbox, notifications
    "crm:contact_new": (WRITERS, WRITERS),
    "crm:contact_people": (WRITERS, NO),
    "crm:contact_file": (WRITERS, NO),
    "crm:customer_contacts": (STAFF, NO),
    "crm:inbox": (STAFF, NO),
    "crm:inbox_bulk": (NO, WRITERS),
    "crm:inbox_figures": (STAFF, MANAGERS),
    "crm:absence_list": (WRITERS, WRITERS),
    "crm:absence_end": (NO, MANAGERS),  # and whose it is
    "crm:saved_reply_list": (STAFF, MANAGERS),
    "crm:saved_reply_edit": (MANAGERS, MANAGERS),
    "crm:saved_reply_archive": (NO, MANAGERS),
    "crm:conversation": (STAFF, NO),
    "crm:conversation_reply": (NO, WRITERS),
    "crm:conversation_place": (NO, WRITERS),
    "crm:conversation_link": (NO, WRITERS),
    "crm:conversation_text": (NO, WRITERS),
    "crm:conversation_presence": (WRITERS, WRITERS),
    "crm:notification_list": (STAFF, NO),
    "crm:notification_bell": (STAFF, NO),
    "crm:notification_read": (NO, STAFF),
    "crm:notification_open": (NO, STAFF),
    # duplicates
    "crm:duplicate_list": (MANAGERS, NO),
    "crm:duplicates_certain": (NO, MANAGERS),
    "crm:duplicate": (MANAGERS, NO),
    "crm:duplicate_merge": (NO, MANAGERS),
    "crm:duplicate_dismiss": (NO, MANAGERS),
    "crm:merge_undo": (NO, MANAGERS),
    # purchases, products, shops
    "crm:order_list": (STAFF, NO),
    "crm:order_new": (WRITERS, WRITERS),
    "crm:order": (STAFF, NO),
    "crm:order_status": (NO, WRITERS),
    "crm:product_list": (STAFF, NO),
    "crm:product_new": (WRITERS, WRITERS),
    "crm:product_edit": (WRITERS, WRITERS),
    "crm:location_list": (STAFF, NO),
    "crm:location_new": (MANAGERS, MANAGERS),
    "crm:location_edit": (MANAGERS, MANAGERS),
    "crm:calendar_list": (STAFF, NO),
    "crm:calendar_new": (MANAGERS, MANAGERS),
    "crm:calendar_edit": (MANAGERS, MANAGERS),
    # tasks
    "crm:task_list": (STAFF, WRITERS),
    "crm:task_new": (WRITERS, WRITERS),
    "crm:task_next": (NO, WRITERS),
    "crm:task": (STAFF, NO),
    "crm:task_edit": (WRITERS, WRITERS),
    "crm:task_finish": (NO, WRITERS),
    "crm:task_reopen": (NO, WRITERS),
    "crm:task_take": (NO, WRITERS),
    "crm:task_move": (NO, WRITERS),
    "crm:customer_tasks": (STAFF, NO),
    "crm:customer_cadence": (NO, WRITERS),
    # the counter, refunds, costs, rates
    "crm:quick_sale": (WRITERS, WRITERS),
    "crm:quick_sale_products": (WRITERS, NO),
    "crm:quick_sale_customers": (WRITERS, NO),
    "crm:order_slip": (STAFF, NO),
    "crm:order_edit": (WRITERS, WRITERS),
    "crm:refund_new": (WRITERS, WRITERS),
    "crm:refund_list": (STAFF, NO),
    "crm:refund_correct": (WRITERS, WRITERS),
    "crm:cost_list": (FIGURES, NO),
    "crm:cost_month": (FIGURES, NO),
    "crm:cost_new": (MANAGERS, MANAGERS),
    "crm:rate_list": (STAFF, NO),
    "crm:rate_new": (MANAGERS, MANAGERS),
    # offers, and who wants to leave
    "crm:customer_offers": (STAFF, NO),
    "crm:offer_list": (STAFF, NO),
    "crm:offer_new": (WRITERS, WRITERS),
    "crm:offer_answer": (NO, WRITERS),
    "crm:cancel_request_list": (STAFF, NO),
    "crm:cancel_request_new": (WRITERS, WRITERS),
    "crm:cancel_request": (STAFF, NO),
    "crm:cancel_request_offer": (NO, WRITERS),
    "crm:cancel_request_decide": (NO, WRITERS),
    "crm:cancel_reason_list": (MANAGERS, NO),
    "crm:cancel_reason_new": (MANAGERS, MANAGERS),
    "crm:cancel_reason": (MANAGERS, MANAGERS),
    # importing files
    "crm:import_list": (MANAGERS, NO),
    "crm:import_new": (MANAGERS, MANAGERS),
    "crm:import": (MANAGERS, NO),
    "crm:import_match": (MANAGERS, MANAGERS),
    "crm:import_check": (MANAGERS, NO),
    "crm:import_mend": (NO, MANAGERS),
    "crm:import_recheck": (NO, MANAGERS),
    "crm:import_start": (MANAGERS, MANAGERS),
    "crm:import_status": (MANAGERS, NO),
    "crm:import_totals": (MANAGERS, NO),
    "crm:import_rejects": (MANAGERS, NO),
    "crm:import_rejected_rows": (MANAGERS, NO),
    "crm:import_pause": (NO, MANAGERS),
    "crm:import_resume": (NO, MANAGERS),
    "crm:import_cancel": (NO, MANAGERS),
    "crm:import_undo": (NO, MANAGERS),
    # service standards
    "crm:standard_list": (STAFF, NO),
    "crm:standard_new": (NO, MANAGERS),
    "crm:standard_ready": (NO, MANAGERS),
    "crm:standard": (STAFF, NO),
    "crm:standard_version": (STAFF, NO),
    "crm:standard_edit": (MANAGERS, MANAGERS),
    "crm:standard_preview": (MANAGERS, NO),
    "crm:standard_discard": (NO, MANAGERS),
    "crm:standard_switch": (NO, MANAGERS),
    "crm:standard_start": (WRITERS, WRITERS),
    "crm:standard_runs": (STAFF, NO),
    "crm:standard_runs_complete": (NO, WRITERS),
    "crm:standard_run": (STAFF, NO),
    "crm:standard_run_step": (NO, WRITERS),
    "crm:standard_run_complete": (NO, WRITERS),
    "crm:standard_run_give_up": (NO, WRITERS),
    "crm:standard_run_take": (NO, WRITERS),
    "crm:standard_scorecard": (FIGURES, NO),
    "crm:standard_scorecard_file": (FIGURES, NO),
    "crm:standard_audit": (MANAGERS, MANAGERS),
    "crm:customer_standards": (STAFF, NO),
    # messages
    "mailing:message_list": (STAFF, NO),
    "mailing:message": (STAFF, NO),
    "mailing:message_mark_sent": (NO, MANAGERS),
    "mailing:message_resend": (NO, MANAGERS),
    "mailing:unsubscribe": (EVERYBODY, EVERYBODY),
    # points
    "loyalty:programme": (STAFF, MANAGERS),
    "loyalty:rules": (STAFF, NO),
    "loyalty:rule_new": (MANAGERS, MANAGERS),
    "loyalty:rule_preview": (NO, MANAGERS),
    "loyalty:rule_products": (MANAGERS, NO),
    "loyalty:rule": (STAFF, NO),
    "loyalty:rule_edit": (MANAGERS, MANAGERS),
    "loyalty:rule_stop": (MANAGERS, MANAGERS),
    "loyalty:product_options": (STAFF, NO),
    "loyalty:simulator": (STAFF, NO),
    "loyalty:rewards": (STAFF, NO),
    "loyalty:reward_new": (MANAGERS, MANAGERS),
    "loyalty:reward_edit": (MANAGERS, MANAGERS),
    "loyalty:reward_stop": (MANAGERS, MANAGERS),
    "loyalty:redemptions": (STAFF, NO),
    "loyalty:redemption_reverse": (MANAGERS, MANAGERS),
    "loyalty:vouchers": (WRITERS, WRITERS),
    "loyalty:members": (STAFF, NO),
    "loyalty:member": (STAFF, NO),
    "loyalty:reports": (FIGURES, MANAGERS),
    "loyalty:ledger_check": (FIGURES, MANAGERS),
    "loyalty:report_liability": (FIGURES, NO),
    "loyalty:report_tiers": (FIGURES, NO),
    "loyalty:report_month": (FIGURES, NO),
    "loyalty:terms": (EVERYBODY, NO),
    "loyalty:member_tier": (STAFF, NO),
    "loyalty:member_grant": (MANAGERS, MANAGERS),
    "loyalty:member_code": (NO, WRITERS),
    "loyalty:member_freeze": (MANAGERS, MANAGERS),
    "loyalty:member_close": (MANAGERS, MANAGERS),
    "loyalty:member_card": (MANAGERS, MANAGERS),
    "loyalty:adjustments": (STAFF, NO),
    "loyalty:adjustment_new": (WRITERS, WRITERS),
    "loyalty:adjustment_decide": (NO, WRITERS),
    "loyalty:adjustment_reviewed": (NO, MANAGERS),
    "loyalty:anomalies": (MANAGERS, NO),
    "loyalty:rule_lift": (FIGURES, NO),
    "loyalty:tiers": (STAFF, NO),
    "loyalty:tier_new": (MANAGERS, MANAGERS),
    "loyalty:tier_edit": (MANAGERS, MANAGERS),
    "loyalty:tier_remove": (NO, MANAGERS),
    "loyalty:conditions": (STAFF, NO),
    "loyalty:conditions_edit": (MANAGERS, MANAGERS),
    "loyalty:conditions_preview": (NO, MANAGERS),
    "loyalty:my_points": (CUSTOMER, NO),
    "loyalty:my_tier": (CUSTOMER, NO),
    "loyalty:my_rewards": (CUSTOMER, NO),
    # complaints and surveys
    "feedback:complaint_list": (STAFF, NO),
    "feedback:complaint_new": (WRITERS, WRITERS),
    "feedback:complaint": (STAFF, NO),
    "feedback:complaint_resolve": (NO, WRITERS),
    "feedback:complaint_close": (NO, WRITERS),
    "feedback:public_complaint": (EVERYBODY, EVERYBODY),
    "feedback:public_complaint_thanks": (EVERYBODY, NO),
    "feedback:survey_list": (STAFF, NO),
    "feedback:response_void": (WRITERS, WRITERS),
    "feedback:survey": (EVERYBODY, EVERYBODY),
    # figures
    "metrics:overview": (FIGURES, NO),
    "metrics:trials": (MANAGERS, NO),
    "metrics:trial_new": (MANAGERS, MANAGERS),
    "metrics:trial": (MANAGERS, NO),
    "metrics:trial_status": (MANAGERS, NO),
    "metrics:trial_discard": (NO, MANAGERS),
    "metrics:trial_rejects": (MANAGERS, NO),
    "metrics:recompute": (NO, MANAGERS),
    "metrics:status": (FIGURES, NO),
    "metrics:cohorts": (FIGURES, NO),
    "metrics:cohort_people": (FIGURES, NO),
    "metrics:rfm": (FIGURES, NO),
    "metrics:tenure": (FIGURES, NO),
    "metrics:handling_rule": (ADMINS, ADMINS),
    "metrics:handling_tasks": (NO, MANAGERS),
    "metrics:map_people": (FIGURES, NO),
    "metrics:recorded_people": (FIGURES, NO),
    "metrics:retention": (FIGURES, NO),
    "metrics:revenue": (FIGURES, NO),
    "metrics:purchases": (FIGURES, NO),
    "metrics:value": (FIGURES, NO),
    "metrics:funnel": (FIGURES, NO),
    "metrics:voice": (FIGURES, NO),
    "metrics:complaints": (FIGURES, NO),
    "metrics:shops": (FIGURES, NO),
    "metrics:standards": (FIGURES, NO),
    "metrics:save": (FIGURES, NO),
    "metrics:loyalty": (FIGURES, NO),
    "metrics:figure": (FIGURES, NO),
    "metrics:people": (FIGURES, NO),
    "metrics:people_bulk": (NO, MANAGERS),
    "metrics:target": (ADMINS, ADMINS),
    # follow-ups
    "outreach:followups": (STAFF, MANAGERS),
    "outreach:switch": (NO, MANAGERS),
    # API
    "api-schema": (EVERYBODY, NO),
    "api-docs": (EVERYBODY, NO),
    "api-customers": (STAFF, WRITERS),
    "api-customers-bulk": (NO, WRITERS),
    "api-orders-bulk": (NO, WRITERS),
    "api-refunds-bulk": (NO, WRITERS),
    "api-interactions-bulk": (NO, WRITERS),
    "api-tasks-bulk": (NO, WRITERS),
    "api-products-bulk": (NO, WRITERS),
    "api-locations-bulk": (NO, MANAGERS),
    "api-duplicates": (MANAGERS, NO),
    "api-duplicates-dismiss": (NO, MANAGERS),
    "api-merges": (MANAGERS, NO),
    "api-merge-undo": (NO, MANAGERS),
    "api-customer-merge": (NO, MANAGERS),
    "api-customer": (STAFF, NO),
    "api-customer-consents": (STAFF, WRITERS),
    "api-orders": (STAFF, WRITERS),
    "api-order": (STAFF, NO),
    "api-products": (STAFF, WRITERS),
    "api-product": (STAFF, NO),
    "api-locations": (STAFF, MANAGERS),
    "api-events": (STAFF, NO),
    "api-location": (STAFF, NO),
    "api-refunds": (STAFF, WRITERS),
    "api-refund": (STAFF, NO),
    "api-rates": (STAFF, MANAGERS),
    "api-costs": (FIGURES, MANAGERS),
    "api-offers": (STAFF, WRITERS),
    "api-offer": (STAFF, NO),
    "api-cancel-requests": (STAFF, WRITERS),
    "api-cancel-request": (STAFF, NO),
    "api-interactions": (STAFF, WRITERS),
    "api-interaction": (STAFF, NO),
    "api-interaction-attachments": (STAFF, WRITERS),
    "api-messages": (STAFF, NO),
    "api-message": (STAFF, NO),
    "api-loyalty-accounts": (STAFF, WRITERS),
    "api-loyalty-account": (STAFF, NO),
    "api-loyalty-account-offers": (STAFF, NO),
    "api-loyalty-account-standing": (STAFF, NO),
    "api-loyalty-transactions": (STAFF, NO),
    "api-loyalty-rewards": (STAFF, MANAGERS),
    "api-loyalty-reward": (STAFF, NO),
    "api-loyalty-redemptions": (STAFF, WRITERS),
    "api-loyalty-redemption": (STAFF, NO),
    "api-loyalty-redemption-reverse": (NO, WRITERS),
    "api-loyalty-voucher-check": (NO, WRITERS),
    "api-loyalty-voucher-use": (NO, WRITERS),
    "api-loyalty-holds": (STAFF, WRITERS),
    "api-loyalty-hold": (STAFF, NO),
    "api-loyalty-hold-capture": (NO, WRITERS),
    "api-loyalty-hold-void": (NO, WRITERS),
    "api-loyalty-adjustments": (WRITERS, WRITERS),
    "api-loyalty-adjustment": (WRITERS, NO),
    "api-loyalty-adjustment-approve": (NO, MANAGERS),
    "api-loyalty-adjustment-refuse": (NO, MANAGERS),
    "api-loyalty-rules": (STAFF, NO),
    "api-loyalty-simulate": (NO, STAFF),
    "api-complaints": (STAFF, WRITERS),
    "api-complaint": (STAFF, NO),
    "api-surveys": (STAFF, NO),
    "api-survey-responses": (STAFF, WRITERS),
    "api-kpis": (FIGURES, NO),
    "api-cohorts": (FIGURES, NO),
    "api-followups": (STAFF, NO),
    "api-enrolments": (STAFF, NO),
    "api-imports": (MANAGERS, MANAGERS),
    "api-import": (MANAGERS, NO),
    "api-import-rejects": (MANAGERS, NO),
    "api-import-pause": (NO, MANAGERS),
    "api-import-resume": (NO, MANAGERS),
    "api-import-cancel": (NO, MANAGERS),
    "api-import-undo": (NO, MANAGERS),
    "api-tasks": (STAFF, WRITERS),
    "api-task": (STAFF, NO),
    "api-standards": (STAFF, NO),
    "api-standard": (STAFF, NO),
    "api-standard-runs": (STAFF, WRITERS),
    "api-standard-run": (STAFF, NO),
    "api-standard-run-step": (NO, WRITERS),
    "api-standard-run-complete": (NO, WRITERS),
    "api-standard-run-give-up": (NO, WRITERS),
    "api-unknown": (EVERYBODY, EVERYBODY),
}
# What may be opened but is not there in this small world answers 404 to whoever may.
NOT_THERE = {
    "api-unknown",
    "crm:notification_open",  # somebody else's
    "metrics:people",
    "metrics:cohort_people",
    "metrics:map_people",
    "metrics:recorded_people",
    "crm:view_change",  # a view is its owner's: see tests/crm/test_saved_views.py
    "crm:view_delete",
    "mfa_deactivate_totp",
    "mfa_view_recovery_codes",
    "mfa_download_recovery_codes",
}
# Refused as if it did not exist: monitoring, and the portal to a colleague, who is no customer.
HIDDEN = {"prometheus", "crm:my_language"}
# URL name: its arguments; an attribute of World, or after "=" the value itself.
ARGUMENTS = {
    "account_reset_password_from_key": {"uidb36": "=1", "key": "=set-password"},
    "api-complaint": {"ref": "complaint"},
    "api-customer": {"ref": "customer"},
    "api-customer-merge": {"ref": "customer"},
    "api-merge-undo": {"ref": "merge"},
    "crm:duplicate": {"first": "customer", "second": "twin"},
    "crm:duplicate_merge": {"first": "customer", "second": "twin"},
    "crm:duplicate_dismiss": {"first": "customer", "second": "twin"},
    "crm:merge_undo": {"ref": "merge"},
    "api-customer-consents": {"ref": "customer"},
    "api-enrolments": {"key": "rule"},
    "api-loyalty-account": {"ref": "customer"},
    "api-loyalty-account-offers": {"ref": "customer"},
    "api-loyalty-account-standing": {"ref": "customer"},
    "api-loyalty-reward": {"ref": "reward"},
    "api-loyalty-redemption": {"ref": "redemption"},
    "api-loyalty-redemption-reverse": {"ref": "redemption"},
    "api-loyalty-adjustment": {"ref": "adjustment"},
    "api-loyalty-adjustment-approve": {"ref": "adjustment"},
    "api-loyalty-adjustment-refuse": {"ref": "adjustment"},
    "api-loyalty-hold": {"ref": "hold"},
    "api-loyalty-hold-capture": {"ref": "hold"},
    "api-loyalty-hold-void": {"ref": "hold"},
    "api-message": {"ref": "message"},
    "api-order": {"ref": "order"},
    "api-product": {"ref": "product"},
    "api-location": {"code": "location"},
    "api-refund": {"ref": "refund"},
    "api-offer": {"ref": "offer"},
    "api-cancel-request": {"ref": "cancel_request"},
    "api-task": {"ref": "task"},
    "api-standard": {"ref": "standard"},
    "api-standard-run": {"ref": "run"},
    "api-standard-run-complete": {"ref": "run"},
    "api-standard-run-give-up": {"ref": "run"},
    "api-standard-run-step": {"ref": "run", "position": "=1"},
    "api-unknown": {"path": "=x"},
    "crm:calendar_edit": {"ref": "calendar"},
    "crm:customer": {"ref": "customer"},
    "crm:customer_consent": {"ref": "customer"},
    "crm:customer_edit": {"ref": "customer"},
    "crm:customer_erase": {"ref": "customer"},
    "crm:customer_data": {"ref": "customer"},
    "crm:customer_privacy": {"ref": "customer"},
    "crm:customer_orders": {"ref": "customer"},
    "api-interaction": {"ref": "interaction"},
    "api-interaction-attachments": {"ref": "interaction"},
    "crm:customer_contacts": {"ref": "customer"},
    "crm:contact_file": {"ref": "contact_file"},
    "crm:absence_end": {"ref": "absence"},
    "crm:saved_reply_edit": {"ref": "reply"},
    "crm:saved_reply_archive": {"ref": "reply"},
    "crm:conversation": {"ref": "conversation"},
    "crm:conversation_reply": {"ref": "conversation"},
    "crm:conversation_place": {"ref": "conversation"},
    "crm:conversation_link": {"ref": "conversation"},
    "crm:conversation_text": {"ref": "conversation"},
    "crm:conversation_presence": {"ref": "conversation"},
    "crm:notification_open": {"ref": "=nobodys"},
    "crm:customer_summary": {"ref": "customer"},
    "crm:customer_panels": {"ref": "customer"},
    "crm:customer_details": {"ref": "customer"},
    "crm:customer_contact_points": {"ref": "customer"},
    "crm:customer_tags": {"ref": "customer"},
    "crm:customer_files": {"ref": "customer"},
    "crm:customer_file": {"ref": "file"},
    "crm:customer_file_remove": {"ref": "file"},
    "crm:customer_notes": {"ref": "customer"},
    "crm:note_edit": {"ref": "note"},
    "crm:note_archive": {"ref": "note"},
    "crm:custom_field_edit": {"key": "field"},
    "crm:custom_field_archive": {"key": "field"},
    "crm:customer_timeline": {"ref": "customer"},
    "crm:list_export": {"key": "=orders"},
    "api-import": {"ref": "upload"},
    "api-import-rejects": {"ref": "upload"},
    "api-import-pause": {"ref": "upload"},
    "api-import-resume": {"ref": "upload"},
    "api-import-cancel": {"ref": "upload"},
    "api-import-undo": {"ref": "upload"},
    "crm:import": {"ref": "done_import"},
    "crm:import_match": {"ref": "upload"},
    "crm:import_check": {"ref": "upload"},
    "crm:import_mend": {"ref": "upload"},
    "crm:import_recheck": {"ref": "upload"},
    "crm:import_start": {"ref": "upload"},
    "crm:import_status": {"ref": "upload"},
    "crm:import_totals": {"ref": "done_import"},
    "crm:import_rejects": {"ref": "done_import"},
    "crm:import_rejected_rows": {"ref": "upload"},
    "crm:import_pause": {"ref": "upload"},
    "crm:import_resume": {"ref": "upload"},
    "crm:import_cancel": {"ref": "upload"},
    "crm:import_undo": {"ref": "upload"},
    "crm:location_edit": {"code": "location"},
    "crm:order": {"ref": "order"},
    "crm:order_status": {"ref": "order"},
    "crm:product_edit": {"ref": "product"},
    "crm:view_change": {"ref": "=nobodys"},
    "crm:view_delete": {"ref": "=nobodys"},
    "crm:order_slip": {"ref": "order"},
    "crm:order_edit": {"ref": "order"},
    "crm:refund_new": {"ref": "order"},
    "crm:refund_correct": {"ref": "refund"},
    "crm:cost_month": {"month": "=2026-03"},
    "crm:customer_offers": {"ref": "customer"},
    "crm:offer_answer": {"ref": "offer"},
    "crm:cancel_request": {"ref": "cancel_request"},
    "crm:cancel_request_offer": {"ref": "cancel_request"},
    "crm:cancel_request_decide": {"ref": "cancel_request"},
    "crm:cancel_reason": {"code": "cancel_reason"},
    "crm:customer_standards": {"ref": "customer"},
    "crm:standard": {"ref": "standard"},
    "crm:standard_discard": {"ref": "standard"},
    "crm:standard_edit": {"ref": "standard"},
    "crm:standard_preview": {"ref": "standard"},
    "crm:standard_run": {"ref": "run"},
    "crm:standard_run_complete": {"ref": "run"},
    "crm:standard_run_give_up": {"ref": "run"},
    "crm:standard_run_step": {"ref": "run", "position": "=1"},
    "crm:standard_run_take": {"ref": "run"},
    "crm:standard_start": {"ref": "standard"},
    "crm:standard_switch": {"ref": "standard"},
    "crm:standard_version": {"ref": "standard", "number": "=1"},
    "crm:task": {"ref": "task"},
    "crm:task_edit": {"ref": "task"},
    "crm:task_finish": {"ref": "task"},
    "crm:task_reopen": {"ref": "task"},
    "crm:task_take": {"ref": "task"},
    "crm:task_move": {"ref": "task"},
    "crm:customer_tasks": {"ref": "customer"},
    "crm:customer_cadence": {"ref": "customer"},
    "feedback:complaint": {"ref": "complaint"},
    "feedback:complaint_close": {"ref": "complaint"},
    "feedback:complaint_resolve": {"ref": "complaint"},
    "feedback:response_void": {"ref": "response"},
    "feedback:survey": {"token": "survey"},
    "loyalty:rule": {"ref": "points_rule"},
    "loyalty:rule_edit": {"ref": "points_rule"},
    "loyalty:rule_stop": {"ref": "points_rule"},
    "loyalty:reward_edit": {"ref": "reward"},
    "loyalty:reward_stop": {"ref": "reward"},
    "loyalty:redemption_reverse": {"ref": "redemption"},
    "loyalty:member": {"ref": "customer"},
    "loyalty:member_tier": {"ref": "customer"},
    "loyalty:member_grant": {"ref": "customer"},
    "loyalty:member_code": {"ref": "customer"},
    "loyalty:member_freeze": {"ref": "customer"},
    "loyalty:member_close": {"ref": "customer"},
    "loyalty:member_card": {"ref": "customer"},
    "loyalty:adjustment_new": {"ref": "customer"},
    "loyalty:adjustment_decide": {"ref": "adjustment"},
    "loyalty:adjustment_reviewed": {"ref": "adjustment"},
    "loyalty:rule_lift": {"ref": "points_rule"},
    "loyalty:tier_edit": {"ref": "tier"},
    "loyalty:tier_remove": {"ref": "tier"},
    "loyalty:report_month": {"month": "points_month"},
    "mailing:message": {"ref": "message"},
    "mailing:message_mark_sent": {"ref": "message"},
    "mailing:message_resend": {"ref": "message"},
    "mailing:unsubscribe": {"token": "unsubscribe"},
    "metrics:figure": {"key": "=retention_rate"},
    "metrics:people": {"key": "=retention_rate"},
    "metrics:people_bulk": {"name": "=figure_people"},
    "metrics:target": {"key": "=retention_rate"},
    "metrics:map_people": {"name": "=rfm"},
    "metrics:trial": {"ref": "trial"},
    "metrics:trial_status": {"ref": "trial"},
    "metrics:trial_discard": {"ref": "trial"},
    "metrics:trial_rejects": {"ref": "trial"},
    "outreach:switch": {"key": "rule"},
}


def address(name: str, world: World) -> str:
    given = {
        key: value[1:] if value.startswith("=") else getattr(world, value)
        for key, value in ARGUMENTS.get(name, {}).items()
    }
    return reverse(name, kwargs=given)


def outcome(answer: Any) -> str:
    """In one word: open, sign-in, hidden, forbidden, no-method or crash."""
    if answer.status_code == 302 and answer.url.startswith("/accounts/login"):
        return "sign-in"
    known = {401: "sign-in", 403: "forbidden", 404: "hidden", 405: "no-method"}
    if answer.status_code >= 500 and answer.status_code != 503:  # 503: the readiness page
        return "crash"
    return known.get(answer.status_code, "open")


def ask(client: Client, signed_in: SimpleCookie, method: str, url: str) -> str:
    client.cookies = SimpleCookie(signed_in)
    with transaction.atomic():
        content = {"content_type": "application/json"} if url.startswith("/api/") else {}
        answer = getattr(client, method)(url, {}, **content)
        transaction.set_rollback(True)
    return outcome(answer)


def expected(name: str, role: str, method: str) -> set[str]:
    read, write = MATRIX[name]
    allowed = read if method == "get" else write
    is_api = name.startswith("api-")
    if role in allowed:
        return {"hidden"} if name in NOT_THERE else {"open"}
    refusals = {
        "nobody": {"sign-in"},
        "customer": {"forbidden"} if is_api else {"hidden"},
    }.get(role, {"forbidden"})
    if not allowed:
        refusals = refusals | {"no-method"}
    if name in HIDDEN and (method == "get" or role != "nobody"):
        refusals = {"hidden", "no-method"}
    return refusals


@pytest.mark.parametrize("role", ROLES)
def test_each_url_opens_for_whom_it_should(
    role: str, kim: User, user_with_role: Callable[[str], User]
) -> None:
    world = make_world(kim.customer)
    client = Client(raise_request_exception=False, REMOTE_ADDR="192.0.2.1")
    if role != "nobody":
        client.force_login(user_with_role(role))
    signed_in = client.cookies
    wrong = []
    for name, _pattern in all_urls():
        if name not in MATRIX:
            continue  # the next test names it
        for method in ("get", "post"):
            seen, wanted = (
                ask(client, signed_in, method, address(name, world)),
                expected(name, role, method),
            )
            if seen not in wanted:
                wrong.append(
                    f"{method.upper()} {name}: {seen}, expected {' or '.join(sorted(wanted))}"
                )
    assert not wrong, "\n".join(wrong)


def test_every_url_stands_in_the_table_and_nothing_else() -> None:
    assert {name for name, _pattern in all_urls()} == set(MATRIX)


def test_every_url_with_arguments_has_them_here() -> None:
    needing = {name for name, pattern in all_urls() if pattern.pattern.regex.groups}
    assert needing == set(ARGUMENTS)


@pytest.mark.parametrize("role", ROLES)
def test_djangos_admin_opens_for_admins_only(
    role: str, kim: User, user_with_role: Callable[[str], User]
) -> None:
    client = Client()
    if role != "nobody":
        client.force_login(user_with_role(role))
    answer = client.get("/admin/", follow=True)
    if role == "admin":
        assert answer.status_code == 200
        assert answer.request["PATH_INFO"] == "/admin/"
    elif role == "nobody":
        assert answer.request["PATH_INFO"] == "/accounts/login/"
    else:
        assert answer.status_code == 403


def test_a_customer_sees_nothing_of_a_stranger(kim: User, pat: User) -> None:
    world = make_world(kim.customer)
    client = Client()
    client.force_login(pat)
    for name in ("crm:customer", "crm:order", "feedback:complaint", "mailing:message"):
        assert client.get(address(name, world)).status_code == 404, name
    assert "Kim" not in client.get("/me/").text
