"""The settings. They work with nothing set; production is configured by the environment.

A host in ALLOWED_HOSTS makes the installation public. This turns on HTTPS and rate limits, and
turns off trust in anonymous feedback.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from whitenoise.compress import Compressor

from config import env

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.folder("DATA_DIR", default=BASE_DIR / "data")

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY", kept_in=DATA_DIR / "secret_key")
SECRET_KEY_GIVEN = bool(env.text("SECRET_KEY"))

LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", default=LOOPBACK)
PUBLIC = not set(ALLOWED_HOSTS) <= set(LOOPBACK)
if DEBUG and PUBLIC:
    raise ImproperlyConfigured(
        f"DEBUG must be false where ALLOWED_HOSTS names {ALLOWED_HOSTS[0]}: it shows settings and "
        "source to anybody."
    )
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
HTTPS = env.flag("HTTPS", default=PUBLIC)
PROXY_COUNT = env.whole("PROXY_COUNT", default=0, least=0, most=9)

# -- operation ---------------------------------------------------------------------------------
LOG_FORMAT = env.choice("LOG_FORMAT", default="text", of=("text", "json"))
# Log a line for every request. Off by default for text, where they would hide other lines.
ACCESS_LOG = env.flag("ACCESS_LOG", default=LOG_FORMAT == "json")
METRICS_TOKEN = env.token("METRICS_TOKEN")
BACKUP_DIR = env.folder_or_none("BACKUP_DIR")
BACKUP_KEEP = env.whole("BACKUP_KEEP", default=7, least=1, most=1_000)
# Days after which unlabeled drawings lose their image and owner; 0 keeps them.
RETENTION_DAYS = env.whole("RETENTION_DAYS", default=0, least=0, most=36_500)

# -- the product's own choices ---------------------------------------------------------------
AUDIT_RATE = env.fraction("AUDIT_RATE", default=0.05)  # share of drawings that are audited
# Whether drawings that the version was less sure of are audited more often than others.
AUDIT_BY_CONFIDENCE = env.flag("AUDIT_BY_CONFIDENCE", default=True)
# Requests a minute for each address (or account); 0 means no limit.
CAPTURES_PER_MINUTE = env.whole(
    "CAPTURES_PER_MINUTE", default=300 if PUBLIC else 0, least=0, most=1_000_000
)
PREVIEWS_PER_MINUTE = env.whole(
    "PREVIEWS_PER_MINUTE", default=600 if PUBLIC else 0, least=0, most=1_000_000
)
# At most half of these read large images or hash passwords: predictions.access.limits.Slots.
WEB_THREADS = env.whole("WEB_THREADS", default=4, least=1, most=64)
# Whether Label Studio's endpoints are open without a token.
LABEL_STUDIO_ANONYMOUS = env.flag("LABEL_STUDIO_ANONYMOUS", default=False)
# Whether anybody's feedback is a label at once, for one-person installations; else only labelers'.
TRUST_FEEDBACK = env.flag("TRUST_FEEDBACK", default=not PUBLIC)
# Labeling: the weight of each stream in the queue while it has items.
QUEUE_MIX = env.weights(
    "QUEUE_MIX", default={"audit": 30, "second": 25, "review": 15, "feedback": 15, "unsure": 15}
)
SHOW_GUESSES = env.flag("SHOW_GUESSES", default=False)  # except in audits, which stay blind
GOLD_RATE = env.fraction("GOLD_RATE", default=0.05)  # share of items with a known answer
# Chance that an item on which people agree becomes gold by itself.
GOLD_FROM_AGREED = env.fraction("GOLD_FROM_AGREED", default=0.5)
SECOND_OPINION_RATE = env.fraction("SECOND_OPINION_RATE", default=0.05)  # chosen at random
CONFIDENT = env.fraction("CONFIDENT", default=0.95)  # a label against it needs a second opinion
# API tokens: the most days one is valid, and the permissions of each scope, within those of the
# owner's roles. Endpoints name the scope they need.
TOKEN_DAYS = env.whole("TOKEN_DAYS", default=30, least=1, most=366)
TOKEN_SCOPES: dict[str, list[str]] = {
    "predict": [],  # drawing needs no permission
    "label": ["labeling.*"],
    "train": ["training.*", "predictions.view_modelversion"],
    "read": ["*.view_*"],
}
# Training: new labels for a scheduled run, and whether a candidate that wins its trial is promoted
# by itself.
LABELS_PER_RUN = env.whole("LABELS_PER_RUN", default=500, least=1, most=1_000_000)
# The largest share of a snapshot's labels on one person's drawings; no limit if all are trusted.
SNAPSHOT_SOURCE_SHARE = env.fraction(
    "SNAPSHOT_SOURCE_SHARE", default=1.0 if TRUST_FEEDBACK else 0.2
)
SNAPSHOT_GLYPH_COPIES = 1
# Threads wait for each other at every layer, which is slow on a busy machine.
TRAINING_THREADS = env.whole("TRAINING_THREADS", default=1, least=1, most=64)
AUTO_PROMOTE = env.flag("AUTO_PROMOTE", default=True)
WEBHOOKS_INSIDE = False  # for tests: allow plain HTTP and private addresses
MNIST_DIR = DATA_DIR / "mnist"  # its four files, unpacked
CHARTJS_STATIC = "unfold/js/chart/chart.js"  # Chart.js 4, which django-unfold includes

# -- Django -----------------------------------------------------------------------------------
INSTALLED_APPS = [
    "predictions",
    "labeling",
    "training",
    "dashboard",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "axes",
    "csp",
]
MIDDLEWARE = [
    "predictions.operation.request_log.ReceptionMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.policy.ContentPolicyMiddleware",
    "config.policy.PermissionsPolicyMiddleware",
    "config.policy.CachePolicyMiddleware",
    "predictions.access.limits.BodyLimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "predictions.capture.visitors.VisitorMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
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
                "config.navigation.navigation",
            ],
        },
    }
]

# -- data -------------------------------------------------------------------------------------
DATABASES = {"default": env.database("DATABASE_URL", default=DATA_DIR / "inkloop.sqlite3")}
# For a prediction sent as a data URL: 2 MB of image are 2.7 MB of text.
DATA_UPLOAD_MAX_MEMORY_SIZE = 3_000_000
DATA_UPLOAD_MAX_NUMBER_FILES = 256
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_000

# -- background tasks: django-q2 starts them, our own rows hold the work -----------------------
# `retry` must exceed `timeout`, which includes the time that a prefetched task waits.
Q_CLUSTER: dict[str, Any] = {
    "name": "inkloop",
    "label": "Background jobs",
    "orm": "default",
    "workers": 1,
    "queue_limit": 1,
    "timeout": 300,
    "retry": 960,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "poll": 0.5,
    "recycle": 500,
    "save_limit": 1_000,
    "ALT_CLUSTERS": {
        "training": {
            "workers": 1,
            "queue_limit": 1,
            "timeout": 6 * 3600,
            "retry": 19 * 3600,
            "recycle": 1,
        }
    },
}

# -- people -----------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "predictions.access.accounts.RoleBackend",
]
PASSWORD_HASHERS = ["predictions.access.passwords.PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("login")
LOGOUT_REDIRECT_URL = reverse_lazy("predictions:draw")
PASSWORD_RESET_TIMEOUT = 3600  # seconds
SESSION_COOKIE_AGE = 14 * 24 * 3600  # seconds
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "predictions.access.limits.network_of"
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address"]
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

globals().update(env.mail_settings("EMAIL_URL"))
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "inkloop@localhost")

# -- time and language -------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
TIME_ZONE = env.zone("TIME_ZONE", default="America/New_York")
USE_TZ = True
USE_I18N = False  # all text is in American English
FORMAT_MODULE_PATH = "config.formats"

# -- files -------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "config.static_files.StaticFiles"
    },
}
# Source maps are large, and only developers load them.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
WHITENOISE_ALLOW_ALL_ORIGINS = False  # only our own pages use our static files
MEDIA_ROOT = DATA_DIR / "media"

# -- headers and cookies ------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# With the prefix __Host-, a browser accepts the cookie only over TLS and from this host.
HOST_ALONE = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{HOST_ALONE}sessionid"
CSRF_COOKIE_NAME = f"{HOST_ALONE}csrftoken"
CSRF_FAILURE_VIEW = "predictions.refusals.csrf_failure"
VISITOR_COOKIE_NAME = f"{HOST_ALONE}visitor"
MESSAGES_COOKIE_NAME = f"{HOST_ALONE}messages"
MESSAGE_STORAGE = "config.policy.Messages"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS and PROXY_COUNT else None

# -- the API ------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    # An endpoint without permission classes is open to nobody.
    "DEFAULT_PERMISSION_CLASSES": ["predictions.access.permissions.Nobody"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "predictions.access.authentication.BearerAuthentication",
        "predictions.access.authentication.SessionAuthentication",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["predictions.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "predictions.api.schema.Schema",
    "EXCEPTION_HANDLER": "predictions.refusals.as_response",
    "NUM_PROXIES": PROXY_COUNT,
    "DATETIME_FORMAT": "iso-8601",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Inkloop",
    "DESCRIPTION": (
        "Handwritten digits, read by a network that learns from the people it serves.\n\n"
        "A program shows a token: `Authorization: Bearer ink_…`. Every refusal has one shape, "
        "`ErrorOutput`. A list goes on at the address in its `next`, until that is null."
    ),
    "VERSION": None,  # the API's version is in its URLs
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "TAGS": [
        {"name": "predictions", "description": "Drawings in, predictions out."},
        {"name": "labels", "description": "The queue, labels as they stand, files of them."},
        {"name": "runs", "description": "Fine-tuning: ask for it, follow it, stop it."},
        {"name": "versions", "description": "Model versions, and which of them answers."},
        {"name": "promotions", "description": "Which version answered when, and why."},
        {"name": "figures", "description": "What the dashboard shows."},
        {"name": "label-studio", "description": "A machine learning backend for Label Studio."},
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["predictions.api.schema.one_spelling"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "predictions.api.schema.put_plainly",
        "predictions.api.examples.add_examples",
    ],
    "ENUM_NAME_OVERRIDES": {
        "BatchKind": "labeling.models.Batch.Kind",
        "ColumnKind": "dashboard.api.figures.COLUMN_KINDS",
        "HealthStatus": ["UP"],
        "LabelEventKind": "labeling.models.LabelEvent.Kind",
        "LabelState": "labeling.models.Label.State",
        "LabelStudioOutcome": "labeling.files.label_studio.OUTCOMES",
        "PromotionKind": "training.models.Promotion.Kind",
        "QueuedStatus": ["queued"],
        "RunState": "training.models.Run.State",
        "RunTrigger": "training.models.Run.Trigger",
        "Stream": "labeling.models.Stream",
        "Verdict": "training.models.GateReport.Verdict",
        "VersionState": "predictions.models.ModelVersion.State",
    },
}

# -- the admin ------------------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": "Inkloop",
    "SITE_HEADER": "Inkloop",
    "SITE_SUBHEADER": "Digits that learn",
    "SITE_URL": "/",
    "SITE_ICON": "config.navigation.admin_icon",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "config.navigation.admin_icon"}
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": ["config.navigation.admin_stylesheet"],
    "SCRIPTS": ["config.navigation.admin_script"],
    "DASHBOARD_CALLBACK": "config.admin_home.home",
    "SIDEBAR": {"navigation": "config.admin_home.sidebar"},
    "BORDER_RADIUS": "8px",
    # The palette of static/css/inkloop.css on unfold's scales.
    "COLORS": {
        "base": {
            "50": "#f7f5ef",
            "100": "#efece3",
            "200": "#ddd8ca",
            "300": "#c6c1b3",
            "400": "#9da1ae",
            "500": "#5f6574",
            "600": "#4a5060",
            "700": "#373c4a",
            "800": "#2a2f3c",
            "900": "#14161e",
            "950": "#0c0d12",
        },
        "primary": {
            "50": "#eef1fc",
            "100": "#e1e7fa",
            "200": "#c5d0f5",
            "300": "#a9bbff",
            "400": "#8ea6fb",
            "500": "#7590f2",
            "600": "#2a4bb5",
            "700": "#223d94",
            "800": "#1b3075",
            "900": "#16275e",
            "950": "#0d1738",
        },
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "config.logs.TextLines"},
        "json": {"()": "config.logs.JsonLines"},
    },
    "filters": {"without_paths": {"()": "config.logs.WithoutPaths"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["without_paths"],
        }
    },
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO").upper()},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "inkloop.access": {"level": "INFO" if ACCESS_LOG else "WARNING"},
        "axes": {"level": "WARNING"},
    },
}

# Variables that other modules read. The doctor reports similar names as misspelled.
KNOWN_VARIABLES = frozenset(
    env.ASKED | {"HOST", "PORT", "WEB_PROCESSES", "SQLITE_SYNCHRONOUS", "INKLOOP_MNIST_DIR"}
)
