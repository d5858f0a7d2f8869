"""The one settings file: everything comes from environment variables, secrets also from NAME_FILE.

A process that misses a setting says which ones, all at once, and does not start.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

django_stubs_ext.monkeypatch()

BASE_DIR: Final = Path(__file__).resolve().parent.parent


class _Trimmed(FileAwareMapping):  # type: ignore[misc]  # an untyped library
    """NAME_FILE is read when it is there, so secrets can be mounted as files; editors end them with a newline."""

    def __getitem__(self, key: str) -> str:
        return str(super().__getitem__(key)).strip()


env = environ.FileAwareEnv()
env.ENVIRON = _Trimmed()

PROCESS: str = env.str("PORTAL_PROCESS", default="web")
DATABASE_VARIABLES: Final = {
    "web": "DATABASE_URL",
    "worker": "WORKER_DATABASE_URL",
    "owner": "OWNER_DATABASE_URL",
    "audit": "AUDIT_DATABASE_URL",
}
REQUIRED: Final = (
    "SITE_URL",
    "SECRET_KEY",
    DATABASE_VARIABLES.get(PROCESS, "DATABASE_URL"),
    "REDIS_URL",
    "EMAIL_URL",
    "MAIL_FROM",
    # Only the worker signs: whoever breaks into the web process cannot vouch for a changed record.
    *(("AUDIT_SIGNING_KEY",) if PROCESS == "worker" else ()),
)


def _missing() -> list[str]:
    return [name for name in REQUIRED if not _is_given(name)]


def _is_given(name: str) -> bool:
    path = os.environ.get(f"{name}_FILE")
    if path:
        return os.access(path, os.R_OK) and bool(Path(path).read_text().strip())
    return bool(os.environ.get(name))


if PROCESS not in DATABASE_VARIABLES:
    raise ImproperlyConfigured(
        f"PORTAL_PROCESS is {PROCESS!r}; it is one of {', '.join(DATABASE_VARIABLES)}."
    )
if missing := _missing():
    raise ImproperlyConfigured(
        f"Latchkey cannot start: set {', '.join(missing)} (or the same names with _FILE, each a readable file). See docs/settings.md."
    )

DEBUG = False
DEMO_MODE: bool = env.bool("DEMO_MODE", default=False)
SITE_URL: str = env.str("SITE_URL").rstrip("/")
SECRET_KEY: str = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[urlsplit(SITE_URL).hostname or "localhost"])
AUDIT_SIGNING_KEY: str = env.str("AUDIT_SIGNING_KEY", default="") if PROCESS == "worker" else ""
if AUDIT_SIGNING_KEY and not re.fullmatch(r"[0-9a-f]{64}", AUDIT_SIGNING_KEY):
    raise ImproperlyConfigured(
        "AUDIT_SIGNING_KEY is 64 hexadecimal digits, such as `openssl rand -hex 32` gives."
    )
# Papers are signed with a key derived from that one, unless the installation has a certificate of its own.
RECEIPT_SIGNING_KEY: str = env.str("RECEIPT_SIGNING_KEY", default="") if PROCESS == "worker" else ""
RECEIPT_CERTIFICATE: str = env.str("RECEIPT_CERTIFICATE", default="") if PROCESS == "worker" else ""
if bool(RECEIPT_SIGNING_KEY) != bool(RECEIPT_CERTIFICATE):
    raise ImproperlyConfigured(
        "RECEIPT_SIGNING_KEY and RECEIPT_CERTIFICATE are given together, or neither of them."
    )
# An authority for time stamps (RFC 3161); empty: none is asked.
RECEIPT_TIMESTAMP_URL: str = env.str("RECEIPT_TIMESTAMP_URL", default="")
USE_TLS: bool = SITE_URL.startswith("https://")

INSTALLED_APPS = [
    "portal.kernel",
    "accounts",
    "engagements",
    "awsaccess",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "portal.console.apps.ConsoleConfig",  # last, so that our templates and registrations come first
]
if DEMO_MODE:
    INSTALLED_APPS.append("portal.demo")
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.kernel.middleware.PrivateResponse",
    "portal.kernel.middleware.SmallBodies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.kernel.languages.reading.LanguageMiddleware",  # knows who is signed in, and everything inside speaks
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.kernel.middleware.ScopeMiddleware",  # inside the session's, so that saving it is outside the scope
    "accounts.middleware.OnePracticeGate",  # who came by a practice's sign-in service stays in that practice
    "accounts.middleware.FactorGate",  # knows the membership that the scope was made from
    "portal.kernel.middleware.ErrorPages",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
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
                "portal.kernel.web.frame",
            ],
        },
    }
]

DATABASES = {
    "default": {
        **env.db_url(DATABASE_VARIABLES[PROCESS]),
        "ENGINE": "portal.kernel.database",
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        # A server-side cursor keeps reading in the scope it was opened in: kernel only.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {"connect_timeout": 5, "options": "-c statement_timeout=30000 -c lock_timeout=10000"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL: str = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "lk",
        "OPTIONS": {"serializer": "portal.kernel.caching.JsonSerializer"},  # SECURITY T8: never pickle
    }
}

# Celery (SECURITY §9.4 gives the reason of each line).
CELERY_BROKER_URL: str = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_TASK_TIME_LIMIT = 120
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "retry_on_timeout": False,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "work"

CELERY_BEAT_SCHEDULE = {
    "outbox": {"task": "kernel.outbox_due_sweep", "schedule": 5.0, "options": {"expires": 5}},
    "due": {"task": "kernel.due_sweep", "schedule": 5.0, "options": {"expires": 5}},
    "sessions": {"task": "accounts.sessions_sweep", "schedule": 600.0, "options": {"expires": 600}},
}

# How long a claimed row belongs to its worker: longer than the hard time limit above.
OUTBOX_LEASE_SECONDS: int = env.int("OUTBOX_LEASE_SECONDS", default=150)

# People
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PLACE_FINDER = "accounts.selectors.place_of"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
CSRF_FAILURE_VIEW = "portal.kernel.web.csrf_failed"

# Sign-in by e-mailed code, for people who are known; nobody signs up and nobody has a password.
SIGN_IN_CODE_SECONDS = 15 * 60
ACCOUNT_ADAPTER = "accounts.adapters.InvitationOnlyAdapter"
ACCOUNT_FORMS = {
    "request_login_code": "accounts.forms.AddressForm",
    "confirm_login_code": "accounts.forms.CodeForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SIGNUP_FIELDS = ["email*"]
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = SIGN_IN_CODE_SECONDS
ACCOUNT_LOGIN_TIMEOUT = (
    4 * SIGN_IN_CODE_SECONDS
)  # longer than the code, so that a late code can be told it is late
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 5
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = 3
ACCOUNT_LOGIN_BY_CODE_FORMAT = {"numeric": True, "length": 6, "dashed": False}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True  # as long as SESSION_COOKIE_AGE says
# A code has a million values and five tries: ten codes an hour leave a guesser one chance in twenty thousand.
ACCOUNT_RATE_LIMITS = {"request_login_code": "20/m/ip,3/m/key,10/h/key"}
# Second factors. Of allauth.mfa the table and the arithmetic are used; pages, checks and keeping are ours.
# Tests and the demo: a practice's sign-in service may be http on this machine. Counts only while SITE_URL is http too.
SIGN_IN_SERVICES_ON_LOOPBACK: bool = env.bool("SIGN_IN_SERVICES_ON_LOOPBACK", default=False)
STEP_UP_GATE = "accounts.step_up.StepUpGate"
MFA_ADAPTER = "accounts.adapters.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = (
    1  # a phone's clock may be half a minute wrong; a step is accepted once, and none before it
)
MFA_TRUST_ENABLED = False
ALLAUTH_TRUSTED_PROXY_COUNT: int = env.int("TRUSTED_PROXY_COUNT", default=0)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]

SESSION_ENGINE = "accounts.sessions"  # idle and absolute limits stand there
SESSION_SERIALIZER = "portal.kernel.secrets.SealedSerializer"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = USE_TLS
SESSION_COOKIE_NAME = "__Host-sessionid" if USE_TLS else "sessionid"
CSRF_COOKIE_SECURE = USE_TLS
CSRF_COOKIE_NAME = "__Host-csrftoken" if USE_TLS else "csrftoken"
CSRF_COOKIE_HTTPONLY = True
CSRF_TRUSTED_ORIGINS = [SITE_URL]

MESSAGE_STORAGE = "portal.kernel.notices.Notices"

# Headers (UX §9, SECURITY W1)
SECURE_SSL_REDIRECT = USE_TLS and env.bool("SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if USE_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = USE_TLS
SECURE_HSTS_PRELOAD = USE_TLS
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.int("TRUSTED_PROXY_COUNT", default=0) else None
)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# Mail
EMAIL_CONFIG = env.email_url("EMAIL_URL")
EMAIL_BACKEND: str = EMAIL_CONFIG["EMAIL_BACKEND"]
EMAIL_HOST: str = EMAIL_CONFIG.get("EMAIL_HOST") or "localhost"
EMAIL_PORT: int = EMAIL_CONFIG.get("EMAIL_PORT") or 25
EMAIL_HOST_USER: str = EMAIL_CONFIG.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD: str = EMAIL_CONFIG.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS: bool = bool(EMAIL_CONFIG.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL: bool = bool(EMAIL_CONFIG.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 10
MAIL_FROM: str = env.str("MAIL_FROM")
DEFAULT_FROM_EMAIL = MAIL_FROM

# AWS. Credentials come from boto3's own chain (instance or task role), never from here or the database.
# The four addresses are set only when a simulated AWS stands in for the real one.
# How long a closed access must be refused without a break before it counts as gone (SECURITY §5), in seconds.
EXIT_PROOF_SECONDS: int = env.int("EXIT_PROOF_SECONDS", default=300)
# What one worker process may ask of STS for one hub; all of them together must stay below AWS's quota.
STS_CALLS_PER_SECOND: int = env.int("STS_CALLS_PER_SECOND", default=100)
# How many visits an hour: of one person at one engagement, and of a whole practice (SECURITY C6).
VISITS_PER_HOUR: int = env.int("VISITS_PER_HOUR", default=20)
PRACTICE_VISITS_PER_HOUR: int = env.int("PRACTICE_VISITS_PER_HOUR", default=200)
# A visit needs a check that was good within this many seconds.
GRANT_FRESH_SECONDS: int = env.int("GRANT_FRESH_SECONDS", default=2 * 60 * 60)
AWS_ENDPOINT_URL: str = env.str("AWS_ENDPOINT_URL", default="")
FEDERATION_BASE_URL: str = env.str("FEDERATION_BASE_URL", default="")
CONSOLE_BASE_URL: str = env.str("CONSOLE_BASE_URL", default="")
# Stands in for the addresses at which CloudFormation waits for answers; on this machine only.
CFN_RESPONSE_ENDPOINT_URL: str = env.str("CFN_RESPONSE_ENDPOINT_URL", default="")

# A file that worker and beat touch while they are in touch with the queue, for health checks.
PULSE_PATH: str = env.str("PULSE_PATH", default="")

# Demo only: where the simulated accounts are written down, and where the mail catcher keeps what it caught.
DEMO_WORLD_FILE: str = env.str("DEMO_WORLD_FILE", default="")
DEMO_MAIL_DIR: str = env.str("DEMO_MAIL_DIR", default="")

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "var" / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LANGUAGE_CODE = "en-gb"
LANGUAGES = [
    ("en", "English"),
    ("de", "Deutsch"),
]  # each in its own words; docs/languages.md says how to add one
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
LANGUAGE_COOKIE_NAME = (
    "__Host-language" if USE_TLS else "language"
)  # of who chose one without being signed in
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # of a whole body, files included: SmallBodies sees to it
# One page takes a file: a receipt that somebody wants to check. It never lies on a disk.
LARGEST_PAPER = 5 * 1024 * 1024
LARGER_BODIES = {"/verify/": LARGEST_PAPER + 16 * 1024}
FILE_UPLOAD_MAX_MEMORY_SIZE = LARGER_BODIES["/verify/"]
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "portal.kernel.redaction.OneLine",
            "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
        }
    },
    # A link's token is in its address, and addresses are logged.
    "filters": {"no_tokens": {"()": "portal.kernel.redaction.HideTokens"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "formatter": "line",
            "filters": ["no_tokens"],
        }
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Their DEBUG lines hold credentials and sign-in tokens (SECURITY C1).
        name: {"level": "WARNING"}
        for name in ("botocore", "boto3", "urllib3", "s3transfer")
    },
}
