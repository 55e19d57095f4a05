"""Ways to earn points: the list, one rule and its versions, adding, changing, stopping."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import STAFF_ROLES
from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError, NotFound
from common.requests import actor_of
from common.time import now
from crm.forms.refusals import show_refusal
from crm.roles import COST_READERS, may_write
from crm.selectors.actors import names_of_actors
from crm.selectors.sales import find_products
from loyalty.forms.rule_fields import PRODUCT_FIELDS
from loyalty.forms.rules import RuleForm
from loyalty.forms.stopping import StopForm
from loyalty.models import EarningRule, Programme, RuleVersion
from loyalty.selectors import find_programme, get_programme
from loyalty.selectors.lift import lift_of, list_campaigns
from loyalty.selectors.previews import preview_rule
from loyalty.selectors.rule_words import describe_rule, names_for
from loyalty.selectors.rules import find_rule, list_rules, versions_of
from loyalty.selectors.terms import PURCHASE_KINDS, Rule
from loyalty.services import add_rule, change_rule, rename_rule, stop_rule
from loyalty.views.sections import loyalty_sections


@require_safe
@roles_required(read=STAFF_ROLES)
def rules(request: HttpRequest) -> HttpResponse:
    """All rules: in force, to come, stopped."""
    programme = find_programme()
    if programme is None:
        return redirect("loyalty:programme")
    states = list_rules(programme, now())
    context = {
        "groups": [
            (_("In force"), [state for state in states if state.is_paying]),
            (_("To come"), [state for state in states if state.current is None]),
            (_("Stopped"), [one for one in states if one.current and not one.is_paying]),
        ],
        "has_any": bool(states),
        "may_manage": may_write(request.user, MANAGERS),
        "sections": loyalty_sections(request, "rules"),
    }
    return render(request, "loyalty/rules.html", context)


@require_safe
@roles_required(read=STAFF_ROLES)
def rule(request: HttpRequest, ref: str) -> HttpResponse:
    """One rule: what it pays, and each of its versions."""
    found = _rule(ref)
    versions = versions_of(found.pk)
    told = {version.pk: Rule.of(version) for version in versions}
    names = names_for(told.values())
    authors = names_of_actors({version.actor for version in versions})
    at = now()
    current = next((version for version in versions if version.valid_from <= at), None)
    rows = [
        {
            "version": version,
            "sentence": describe_rule(told[version.pk], found.programme.currency, names),
            "author": authors.get(version.actor, ""),
            "is_current": version == current,
            "is_coming": version.valid_from > at,
        }
        for version in versions
    ]
    context = {
        "rule": found,
        "rows": rows,
        "shown": next((row for row in rows if row["is_current"]), rows[-1]),
        "is_stopped": not versions[0].is_active,
        "may_manage": may_write(request.user, MANAGERS),
        "reads_lift": may_write(request.user, COST_READERS),
    }
    return render(request, "loyalty/rule.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def rule_new(request: HttpRequest) -> HttpResponse:
    """Choose a kind, then fill in what fits it."""
    programme = find_programme()
    if programme is None:
        return redirect("loyalty:programme")
    kind = (request.POST if request.method == "POST" else request.GET).get("kind", "")
    if kind not in EarningRule.Kind.values:
        kinds = [
            {"kind": one, "is_purchase": one.value in PURCHASE_KINDS} for one in EarningRule.Kind
        ]
        return render(request, "loyalty/rule_kinds.html", {"kinds": kinds})
    form = RuleForm(_posted(request), kind=kind, programme=programme)
    if _is_saved(request) and form.is_valid():
        at = now()
        try:
            made = add_rule(
                kind=kind,
                name=form.cleaned_data["name"],
                valid_from=form.cleaned_data["valid_from"] or at,
                happened_at=at,
                actor=actor_of(request),
                **form.content(),
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The rule is added."))
            return redirect("loyalty:rule", made.ref)
    return _form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def rule_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Change a rule for what is still to come, or let a stopped one pay again."""
    found = _rule(ref)
    latest = versions_of(found.pk)[0]
    form = RuleForm(_posted(request), kind=found.kind, programme=found.programme, version=latest)
    if _is_saved(request) and form.is_valid():
        at = now()
        try:
            change_rule(
                rule_id=found.pk,
                valid_from=form.cleaned_data["valid_from"] or at,
                happened_at=at,
                actor=actor_of(request),
                is_active=True,
                **form.content(),
            )
            rename_rule(
                rule_id=found.pk,
                name=form.cleaned_data["name"],
                happened_at=at,
                actor=actor_of(request),
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The rule is changed."))
            return redirect("loyalty:rule", found.ref)
    return _form(request, form, found)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def rule_stop(request: HttpRequest, ref: str) -> HttpResponse:
    """Stop a rule, after asking."""
    found = _rule(ref)
    form = StopForm(_posted(request))
    if request.method == "POST" and form.is_valid():
        at = now()
        try:
            stop_rule(
                rule_id=found.pk,
                valid_from=form.cleaned_data["valid_from"] or at,
                happened_at=at,
                actor=actor_of(request),
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The rule is stopped. What was earned with it stays."))
            return redirect("loyalty:rule", found.ref)
    context = {
        "rule": found,
        "form": form,
        "sentence": describe_rule(versions_of(found.pk)[0], found.programme.currency),
    }
    return render(request, "loyalty/rule_stop.html", context, status=_status(form))


@require_safe
@roles_required(read=COST_READERS)
def rule_lift(request: HttpRequest, ref: str) -> HttpResponse:
    """What a rule brought, against its comparison group: the latest version that has one."""
    found = _rule(ref)
    version = list_campaigns().filter(rule=found).first()
    context: dict[str, Any] = {"rule": found}
    if version is not None:
        lift = lift_of(version, now())
        context |= {
            "lift": lift,
            "arms": [(_("With it"), lift.treated), (_("Comparison group"), lift.control)],
        }
    return render(request, "loyalty/rule_lift.html", context)


@require_POST
@roles_required(read=MANAGERS)
def rule_preview(request: HttpRequest) -> HttpResponse:
    """Fragment: what customers will read of the rule as it is typed."""
    kind = request.POST.get("kind", "")
    if kind not in EarningRule.Kind.values:
        return render(request, "loyalty/parts/rule_preview.html")
    found = find_rule(request.POST.get("rule", ""))
    programme = found.programme if found else get_programme()
    form = RuleForm(request.POST, kind=kind, programme=programme)
    context = _preview(form, programme, found)
    return render(request, "loyalty/parts/rule_preview.html", context)


@require_safe
@roles_required(read=MANAGERS)
def rule_products(request: HttpRequest) -> HttpResponse:
    """Fragment: products to tick that fit what is being typed."""
    name = next((one for one in PRODUCT_FIELDS if f"q_{one}" in request.GET), PRODUCT_FIELDS[0])
    text = request.GET.get(f"q_{name}", "")[:200]
    context = {"name": name, "found": find_products(text), "asked": text.strip()}
    return render(request, "loyalty/parts/found_products.html", context)


@require_safe
@roles_required(read=STAFF_ROLES)
def product_options(request: HttpRequest) -> HttpResponse:
    """Fragment: options of a data list, products that fit what is being typed."""
    # The field that asks sends itself, whatever its number.
    text = next((request.GET[name] for name in request.GET if name.startswith("product")), "")
    found = find_products(str(text)[:200])
    return render(request, "loyalty/parts/product_options.html", {"products": found})


def _rule(ref: str) -> EarningRule:
    found = find_rule(ref)
    if found is None:
        raise NotFound
    return found


def _posted(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _is_saved(request: HttpRequest) -> bool:
    """Whether the form is sent to be saved, not only to look something up."""
    return request.method == "POST" and request.POST.get("do", "save") == "save"


def _status(form: Any) -> int:
    return 422 if form.is_bound and form.errors else 200


def _form(request: HttpRequest, form: RuleForm, found: EarningRule | None) -> HttpResponse:
    is_looking = form.is_bound and not _is_saved(request)
    context: dict[str, Any] = {
        "form": form,
        "rule": found,
        "kind": EarningRule.Kind(form.kind),
        "boxes": form.product_boxes(),
        "is_looking": is_looking,
    }
    if is_looking:
        context |= _preview(form, form.programme, found)
    return render(request, "loyalty/rule_form.html", context, status=_status(form))


def _preview(form: RuleForm, programme: Programme, found: EarningRule | None) -> dict[str, Any]:
    """Return the sentence that customers will read, and what purchases then earn."""
    if not form.is_valid():
        missing = [
            {"label": form.fields[name].label if name in form.fields else "", "texts": texts}
            for name, texts in form.errors.items()
        ]
        return {"missing": missing}
    rule = found or EarningRule(pk=0, programme=programme, kind=form.kind)
    rule.name = form.cleaned_data["name"]
    at = form.cleaned_data["valid_from"] or now()
    version = RuleVersion(pk=0, rule=rule, number=0, valid_from=at, **form.content())
    try:
        return {"preview": preview_rule(programme, version, at=at, names=form.names())}
    except DomainError as error:
        texts = error.fields.values() or [[str(error)]]
        return {"missing": [{"label": "", "texts": one} for one in texts]}
