"""``/api/v1/imports/``: files to import, how far they are, and what was refused."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ParseError
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import MANAGERS
from common.errors import InvalidInput
from common.fields import InstantField
from common.idempotency import IdempotentMixin
from common.parsing import StrictJsonParser
from common.requests import actor_of
from common.time import now
from crm.api.inputs import StrictSerializer, checked
from crm.imports.kinds import kinds
from crm.imports.mapping import parse_mapping
from crm.models import ImportBatch, ImportReject
from crm.selectors.imports import answer_of, get_import, list_imports, list_rejects
from crm.services.import_undo import begin_undo
from crm.services.import_uploads import (
    Upload,
    discard_upload,
    receive_upload,
    receiving_handlers,
)
from crm.services.imports import (
    cancel_import,
    check_import,
    pause_import,
    resume_import,
    start_import,
    upload_import,
)

MOST_REJECTS = 500


class ImportInput(StrictSerializer):
    """A file to import. mapping: a JSON object as in docs/data-formats.md.

    dry_run: only check; what was found stands in ``check``. Then ``POST …/resume/`` imports it.
    """

    file = serializers.FileField(allow_empty_file=True)
    kind = serializers.CharField(max_length=30)
    mode = serializers.ChoiceField(
        ImportBatch.Mode.choices, required=False, default=ImportBatch.Mode.HISTORY
    )
    mapping = serializers.CharField(required=False, default="", max_length=1_000_000)
    dry_run = serializers.BooleanField(required=False, default=False)

    def validate_kind(self, kind: str) -> str:
        """One of the kinds there are."""
        if kind not in kinds():
            raise serializers.ValidationError(_("There is no such kind of import."))
        return kind

    def validate_mapping(self, text: str) -> Any:
        """What a mapping looks like."""
        try:
            stream = io.BytesIO(text.encode("utf-8", "surrogatepass") or b"{}")
            return parse_mapping(StrictJsonParser().parse(stream))
        except (ParseError, serializers.ValidationError) as error:
            raise serializers.ValidationError([_("The mapping can't be read as JSON.")]) from error
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error


class ImportProblemOutput(serializers.Serializer[Any]):
    """Refused cells with one cause. lines: the first ten."""

    column = serializers.CharField()
    reason = serializers.CharField()
    count = serializers.IntegerField()
    lines = serializers.ListField(child=serializers.IntegerField())


class ImportCheckOutput(serializers.Serializer[Any]):
    """What a check found. consequences: per mode, what would follow at most."""

    state = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    rows = serializers.IntegerField(allow_null=True)
    created = serializers.IntegerField(allow_null=True)
    updated = serializers.IntegerField(allow_null=True)
    unchanged = serializers.IntegerField(allow_null=True)
    rejected = serializers.IntegerField(allow_null=True)
    problems = ImportProblemOutput(many=True)
    consequences = serializers.DictField()


class ImportOutput(serializers.Serializer[Any]):
    """An import. rows: of the file; the counts are of records, but for ``rejected``.

    progress: per cent of the step it is at, null where nobody can tell.
    """

    ref = serializers.CharField()
    kind = serializers.CharField()
    mode = serializers.CharField()
    status = serializers.ChoiceField(ImportBatch.Status.choices)
    file_name = serializers.CharField()
    mapping = serializers.DictField()
    rows_checked = serializers.IntegerField()
    rows = serializers.IntegerField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    rejected = serializers.IntegerField()
    progress = serializers.IntegerField(allow_null=True)
    check = ImportCheckOutput(allow_null=True)
    error = serializers.CharField()
    started_at = InstantField()
    finished_at = InstantField(allow_null=True)

    def to_representation(self, instance: Any) -> Any:
        """From a batch."""
        return super().to_representation(answer_of(instance))


class ImportRejectOutput(serializers.Serializer[Any]):
    """A refused cell, or a refused row where the column is empty."""

    line = serializers.IntegerField()
    column = serializers.CharField()
    value = serializers.CharField()
    reason = serializers.CharField()


class ImportList(IdempotentMixin, ListAPIView[ImportBatch]):
    """List imports of files, newest first; upload one."""

    roles_read = MANAGERS
    roles_write = MANAGERS
    serializer_class = ImportOutput
    parser_classes = [MultiPartParser]
    filter_backends = []
    ordering = ("-started_at", "-id")
    keeps_body = False
    _upload: Upload | None = None

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        """Let files flow to the data folder."""
        request.upload_handlers = receiving_handlers(request)
        return super().initialize_request(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ImportBatch]:
        """All of them."""
        return list_imports()

    def request_digest(self, request: Request) -> str:
        """Return a digest of the fields and of the file, which is received by this."""
        digest = hashlib.sha256(request.get_full_path().encode("utf-8", "replace"))
        for name in sorted(request.data):
            value = request.data[name]
            if isinstance(value, UploadedFile):
                value = self._received(value).digest if name == "file" else ""
            digest.update(f"\n{name}={value}".encode("utf-8", "replace"))
        return digest.hexdigest()

    @extend_schema(request={"multipart/form-data": ImportInput}, responses={202: ImportOutput})
    def post(self, request: Request) -> Response:
        """Take a file and import it, or only check it, in the background (202)."""
        fields = checked(ImportInput(data=request.data))
        upload = self._received(fields["file"])
        moment, actor = now(), actor_of(request)
        batch = upload_import(
            upload=upload,
            kind=fields["kind"],
            mode=fields["mode"],
            mapping=fields["mapping"],
            happened_at=moment,
            actor=actor,
        )
        self._upload = None  # the row's own by now
        if fields["dry_run"]:
            batch = check_import(batch_id=batch.pk, happened_at=moment)
        else:
            batch = start_import(
                batch_id=batch.pk,
                mode=fields["mode"],
                happened_at=moment,
                actor=actor,
                unchecked=True,
            )
        return Response(
            ImportOutput(batch).data,
            status=status.HTTP_202_ACCEPTED,
            headers={"Location": reverse("api-import", args=[batch.ref])},
        )

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Throw a received file away that did not become an import."""
        if self._upload is not None:
            discard_upload(self._upload.stored_as)
        return super().finalize_response(request, response, *args, **kwargs)

    def _received(self, file: UploadedFile[bytes]) -> Upload:
        if self._upload is None:
            self._upload = receive_upload(file)
        return self._upload


class ImportDetail(APIView):
    """One import."""

    roles_read = MANAGERS
    roles_write = frozenset[Any]()

    @extend_schema(responses=ImportOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell how far it is, and what came of it."""
        return Response(ImportOutput(get_import(ref)).data)


class ImportRejects(GenericAPIView[ImportReject]):
    """What an import refused, or its last check would."""

    roles_read = MANAGERS
    roles_write = frozenset[Any]()
    serializer_class = ImportRejectOutput
    pagination_class = None
    filter_backends = []
    queryset = ImportReject.objects.none()

    @extend_schema(
        operation_id="import_rejects",
        parameters=[],
        responses=ImportRejectOutput(many=True),
    )
    def get(self, request: Request, ref: str) -> Response:
        """Tell the refused cells, ``?after=<line>`` and ``?page_size`` at most 500 of them."""
        batch = get_import(ref)
        after = _whole(request, "after", 0)
        size = min(max(_whole(request, "page_size", 100), 1), MOST_REJECTS)
        rows: list[dict[str, Any]] = []
        for line, name, value, reason in list_rejects(batch, after=after):
            if len(rows) >= size and rows[-1]["line"] != line:
                break  # all of a line or nothing of it
            rows.append({"line": line, "column": name, "value": value, "reason": reason})
        return Response(ImportRejectOutput(rows, many=True).data)


class ImportSteering(IdempotentMixin, APIView):
    """Pause, go on, stop for good, take back."""

    roles_read = frozenset[Any]()
    roles_write = MANAGERS
    action = ""

    @extend_schema(request=None, responses=ImportOutput)
    def post(self, request: Request, ref: str) -> Response:
        """Do it, and tell where the import is then."""
        batch = get_import(ref)
        happening: dict[str, Any] = {"happened_at": now(), "actor": actor_of(request)}
        if self.action == "pause":
            pause_import(batch_id=batch.pk)
        elif self.action == "cancel":
            cancel_import(batch_id=batch.pk, **happening)
        elif self.action == "undo":
            begin_undo(batch=batch, actor=happening["actor"])
        elif batch.status == ImportBatch.Status.UPLOADED:
            start_import(batch_id=batch.pk, mode=batch.mode, unchecked=True, **happening)
        else:
            resume_import(batch_id=batch.pk)
        batch.refresh_from_db()
        return Response(ImportOutput(batch).data)


def _whole(request: Request, name: str, usual: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise InvalidInput(fields={name: [str(_("Enter a whole number."))]})
    return int(text)
