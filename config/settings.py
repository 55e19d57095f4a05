"""Django settings. Whatever differs between installations comes typed from the environment."""

import logging
import sys
import warnings
from datetime import timedelta

from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

from config.crashes import report_crashes
from config.environment import BASE_DIR, read_environment
from config.logs import logging_config

ENV = read_environment()

# --- Core -------------------------------------------------------------------------------------
DEBUG = ENV.debug
SECRET_KEY = ENV.secret_key
SECRET_KEY_FALLBACKS = ENV.former_keys  # hashes of addresses and of who was erased outlive a key
ALLOWED_HOSTS = ENV.allowed_hosts
BASE_URL = ENV.base_url
CSRF_TRUSTED_ORIGINS = [BASE_URL]
KEEPWELL_DATA_DIR = ENV.data_dir
KEEPWELL_TIMEZONE = ENV.timezone
KEEPWELL_CURRENCY = ENV.currency
KEEPWELL_IMPORT_MAX_BYTES = ENV.import_max_bytes
KEEPWELL_IMPORT_MAX_ROWS = ENV.import_max_rows
KEEPWELL_IMPORT_MAX_CELLS = ENV.import_max_cells
KEEPWELL_IMPORT_MAX_CELL_CHARS = ENV.import_max_cell_chars
IS_DEMO = ENV.is_demo
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SITE_NAME = "Keepwell"

# Listed from the front door down; an app knows only those after it (see docs/adr/0001).
KEEPWELL_APPS = [
    "outreach",
    "metrics",
    "feedback",
    "loyalty",
    "mailing",
    "crm",
    "accounts",
    "common",
]

INSTALLED_APPS = [
    *KEEPWELL_APPS,
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "csp",
    "crispy_forms",
    "crispy_bootstrap5",
    "django_filters",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "config.apps.ConfigConfig",  # last: its ready() reads what the others registered
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.UserLanguageMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "common.middleware.ToastMiddleware",
    "common.middleware.DomainErrorMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
                "config.context.layout",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- Data -------------------------------------------------------------------------------------
DATABASES = {"default": ENV.database}
CACHES = {
    "default": {
        # Throttles must hold across web processes, and web requests never touch the broker.
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "common_cache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    },
    # Per process, for what need not be exact: limits on the API's callers.
    "memory": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"

# --- Language and time ------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = KEEPWELL_TIMEZONE
USE_THOUSAND_SEPARATOR = True
FORMAT_MODULE_PATH = ["config.formats"]

# --- Static files -----------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"  # filled by `make static` while an image is built
_is_gathered = sys.argv[1:2] == ["collectstatic"] or (STATIC_ROOT / "staticfiles.json").exists()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _is_gathered
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not _is_gathered  # else the files are served from where they lie
warnings.filterwarnings("ignore", message="No directory at")  # nothing gathered: see above
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 3600
MEDIA_ROOT = KEEPWELL_DATA_DIR / "media"
MEDIA_URL = "/media/"
KEEPWELL_IMPORT_FILE_DAYS = 7  # an uploaded file is kept, once its import ended or was left alone
ATTACHMENT_MAX_BYTES = 9 * 1024 * 1024  # with its frame below DATA_UPLOAD_MAX_MEMORY_SIZE
# A trial of files to import: how long and how large it may get, and how long its result is kept.
TRIAL_SECONDS, TRIAL_BYTES, TRIAL_KEPT_DAYS = 1_800, 4 * 1024**3, 14

# --- Sign-in ----------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "accounts.backends.PasswordBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
REQUIRE_STAFF_TOTP = ENV.require_totp
# How many proxies of one's own stand in front; the client's address is taken from before them.
TRUSTED_PROXIES = ALLAUTH_TRUSTED_PROXY_COUNT = ENV.proxies
SIGN_IN_MAIL_IN_BACKGROUND = True  # the time of an answer must not tell whether a mail was sent
ACCOUNT_ADAPTER = "accounts.adapters.SignInAdapter"
ACCOUNT_FORMS = {
    "request_login_code": "accounts.forms.CodeRequestForm",
    "reset_password": "accounts.forms.PasswordResetForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # nobody can make us write to strangers
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_FORMAT = {"numeric": True, "length": 6, "dashed": False}
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 3
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
# Per account ("key") and per address of the client ("ip").
ACCOUNT_RATE_LIMITS = {
    "login_failed": "20/m/ip,5/5m/key",
    "request_login_code": "20/m/ip,3/m/key,10/h/key",
    "reset_password": "20/m/ip,3/m/key,10/h/key",
}
MFA_ADAPTER = "accounts.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1
# Ten wrong passwords for one account from one address close that pair for an hour.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(hours=1)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "accounts.views.locked_out"
AXES_USERNAME_CALLABLE = "accounts.backends.sign_in_name"
AXES_CLIENT_IP_CALLABLE = "common.requests.client_ip"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False

# --- Safety -----------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
_https = BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = False  # the proxy in front decides; see docs/guide
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
# The columns of a file to import are matched in one form, with three fields each.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_000 + 3 * KEEPWELL_IMPORT_MAX_CELLS

# --- API --------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["common.parsing.StrictJsonParser"],
    "DEFAULT_PAGINATION_CLASS": "common.pagination.RefCursorPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "common.problems.problem_response",
    "DEFAULT_THROTTLE_CLASSES": ["common.throttling.CallerThrottle"],
    "DEFAULT_THROTTLE_RATES": {"caller": "1200/min", "public": "120/min"},
    "COERCE_DECIMAL_TO_STRING": True,
    "UNICODE_JSON": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Keepwell API",
    "DESCRIPTION": "Customers, purchases, points, feedback and retention figures.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "Channel": "crm.models.Channel",
        "CustomerKind": "crm.models.Customer.Kind",
        "ProductKind": "crm.models.Product.Kind",
        "OrderStatus": "crm.models.Order.Status",
        "CancelOutcome": "crm.models.CancelRequest.Outcome",
        "CostCategory": "crm.models.Cost.Category",
        "ContactOutcome": "crm.models.Interaction.Outcome",
        "ComplaintCategory": "feedback.models.Complaint.Category",
        "MessageKind": "mailing.models.Message.Kind",
        "SurveyKind": "feedback.models.Survey.Kind",
        "TransactionKind": "loyalty.models.PointsTransaction.Kind",
        "StepDecision": "crm.api.standards.DECISIONS",
        "OfferState": "crm.models.Offer.State",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.schema.describe_common_parts",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- Mail -------------------------------------------------------------------------------------
vars().update(ENV.email)  # EMAIL_BACKEND, EMAIL_HOST, …: django-environ's own names
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENV.default_from_email
SERVER_EMAIL = DEFAULT_FROM_EMAIL
# For offers and surveys only; replies and service messages pass at any time.
MAILING_QUIET_HOURS = (21, 9)  # local hours from, until; in between such mail waits
MAILING_CAP_MESSAGES, MAILING_CAP_DAYS = 2, 7  # at most so many per customer in so many days

# --- Background work (why each value: docs/adr/0003) ------------------------------------------
CELERY_BROKER_URL = ENV.redis_url
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "visibility_timeout": 1800,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "keepwell"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(KEEPWELL_DATA_DIR / "beat-schedule")  # entries: config.apps
CELERY_WORKER_CONCURRENCY = 2
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 1_000_000  # KB; a process that grew is replaced after its task
# A sweep goes on when the broker is lost: cut off while it talks to a mail server it would leave
# messages nobody knows the fate of. The tick is delivered again, which does nothing twice.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False

# --- Look -------------------------------------------------------------------------------------
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"
CRISPY_FAIL_SILENTLY = False

# --- Logs -------------------------------------------------------------------------------------
LOGGING = logging_config(readable=ENV.readable_logs)
if ENV.sentry_dsn:
    report_crashes(ENV.sentry_dsn)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # an IP address is personal data
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = DJANGO_STRUCTLOG_STATUS_2XX_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_CELERY_TASK_START_LOG_LEVEL = logging.DEBUG  # ticks every other second
DJANGO_STRUCTLOG_CELERY_TASK_SUCCESS_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_CELERY_TASK_RETRY_LOG_LEVEL = logging.DEBUG  # expired ticks

# Whether subdomains speak HTTPS only, and who redirects to it, is up to the server in front.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
SITE_TAGLINE = _("Know who stays, why others leave, and what to do about it.")
