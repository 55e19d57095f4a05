"""Notes about a customer: written, filtered, changed and put away in place."""

import pytest

from common.errors import InvalidInput
from common.models import ChangeDetail, Event
from crm.models import Note
from crm.services.notes import NoteArchived, archive_note, change_note, record_note
from tests.cast import ACTOR, NOON, make_customer

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
HAPPENING = {"happened_at": NOON, "actor": ACTOR}


def note_of(customer, text="Likes mint tea", kind="preference"):
    return record_note(customer_id=customer.pk, kind=kind, text=text, **HAPPENING)


def test_the_text_stands_in_the_note_and_only_codes_in_the_event(client_for, stan):
    customer = make_customer()
    url = f"/customers/{customer.ref}/notes/"
    answer = client_for(stan).post(url, {"kind": "need", "text": " A bigger\nbag "}, headers=HTMX)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "A bigger<br>bag" in answer.text
    note = Note.objects.get()
    assert (note.kind, note.text, note.author) == ("need", "A bigger\nbag", stan)
    event = Event.objects.get(kind="note.recorded")
    assert (event.subject_ref, event.codes) == (note.ref, {"kind": "need"})
    assert not ChangeDetail.objects.filter(event=event).exists()


@pytest.mark.parametrize(
    "sent",
    [
        {"kind": "need", "text": "  "},
        {"kind": "secret", "text": "x"},
        {"kind": "need", "text": "a\x00b"},
        {"kind": "need", "text": "x" * 4001},
    ],
)
def test_rubbish_comes_back_with_what_is_wrong_and_writes_nothing(client_for, stan, sent):
    url = f"/customers/{make_customer().ref}/notes/"
    assert client_for(stan).post(url, sent, headers=HTMX).status_code == 422
    assert not Note.objects.exists()
    assert not Event.objects.filter(kind__startswith="note.").exists()


def test_the_service_refuses_what_no_form_would_send():
    customer = make_customer()
    for kind, text in (("secret", "x"), ("need", " ")):
        with pytest.raises(InvalidInput):
            note_of(customer, text, kind)
    assert not Note.objects.exists()


def test_they_are_filtered_by_kind(client_for, stan):
    customer = make_customer()
    need, wish = note_of(customer, "A lid", "need"), note_of(customer, "Blue", "wish")
    browser = client_for(stan)
    url = f"/customers/{customer.ref}/notes/"
    assert browser.get(url).context["notes"] == [wish, need]
    assert browser.get(url, {"kind": "need"}).context["notes"] == [need]
    assert browser.get(url, {"kind": "nonsense"}).context["notes"] == [wish, need]
    assert "No notes of this kind" in browser.get(url, {"kind": "problem"}).text


def test_a_change_keeps_what_it_said_before_beside_the_event(client_for, stan):
    note = note_of(make_customer())
    url = f"/notes/{note.ref}/edit/"
    browser = client_for(stan)
    assert "Likes mint tea" in browser.get(url, headers=HTMX).text
    answer = browser.post(url, {"kind": "preference", "text": "Green tea"}, headers=HTMX)
    assert "Green tea" in answer.text
    event = Event.objects.get(kind="note.changed")
    assert event.codes == {"kind": "preference"}
    assert event.detail.content == {"text": ["Likes mint tea", "Green tea"]}
    change_note(note_id=note.pk, kind="preference", text="Green tea", **HAPPENING)
    assert Event.objects.filter(kind="note.changed").count() == 1


def test_a_note_put_away_can_be_taken_back_and_is_not_changed_meanwhile(client_for, stan):
    note = note_of(make_customer())
    browser = client_for(stan)
    answer = browser.post(f"/notes/{note.ref}/archive/", headers=HTMX)
    note.refresh_from_db()
    assert note.archived_at is not None
    with pytest.raises(NoteArchived):
        change_note(note_id=note.pk, kind="need", text="Other", **HAPPENING)
    token = answer.text.split('name="token" value="')[1].split('"')[0]
    assert browser.post("/undo/", {"token": token}).status_code == 302
    note.refresh_from_db()
    assert (note.archived_at, note.text) == (None, "Likes mint tea")
    kinds = Event.objects.filter(subject_kind="note").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["note.recorded", "note.archived", "note.restored"]


def test_the_head_of_the_page_remembers_preferences_and_the_latest_of_each_kind(client_for, stan):
    customer = make_customer()
    note_of(customer, "Call after six")
    for number in range(5):
        note_of(customer, f"Need {number}", "need")
    archive_note(note_id=note_of(customer, "Put away", "need").pk, **HAPPENING)
    answer = client_for(stan).get(f"/customers/{customer.ref}/")
    assert "Call after six" in answer.text
    assert "Put away" not in answer.text
    needs = answer.context["in_words"][0]
    assert [note.text for note in needs["notes"]] == ["Need 4", "Need 3", "Need 2"]


def test_analysts_read_no_word_of_them(client_for, ana):
    customer = make_customer()
    note = note_of(customer, "SECRETWORDS")
    browser = client_for(ana)
    for path in ("", "summary/", "timeline/", "details/"):
        answer = browser.get(f"/customers/{customer.ref}/{path}")
        assert answer.status_code == 200
        assert "SECRETWORDS" not in answer.text
    for path in (f"/customers/{customer.ref}/notes/", f"/notes/{note.ref}/edit/"):
        assert browser.get(path).status_code == 403


def test_the_timeline_tells_the_words_to_those_who_may_read_them(client_for, stan):
    customer = make_customer()
    note = note_of(customer, "Likes mint tea")
    text = client_for(stan).get(f"/customers/{customer.ref}/timeline/", headers=HTMX).text
    assert text.count("Likes mint tea") == 1
    assert "Preference" in text
    archive_note(note_id=note.pk, **HAPPENING)
    text = client_for(stan).get(f"/customers/{customer.ref}/timeline/", headers=HTMX).text
    assert "Likes mint tea" not in text
