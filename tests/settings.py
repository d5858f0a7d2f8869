"""Constants for the test run; the servers' addresses come from `tests.plugins.servers`."""

from __future__ import annotations

import os

for _name, _value in {
    "SITE_URL": "http://testserver",
    "SECRET_KEY": "test-secret-key-that-is-long-enough-for-the-deploy-check-0123456789",
    "AUDIT_SIGNING_KEY": "5ea1" * 16,
    "EMAIL_URL": "memorymail://",
    "MAIL_FROM": "portal@northgate.example",
    "DATABASE_URL": "postgresql://portal_web:web@127.0.0.1:1/portal",
    "OWNER_DATABASE_URL": "postgresql://portal_owner:owner@127.0.0.1:1/portal",
    "WORKER_DATABASE_URL": "postgresql://portal_worker:worker@127.0.0.1:1/portal",
    "REDIS_URL": "unix:///nowhere",
}.items():
    os.environ.setdefault(_name, _value)

from portal.settings import *  # noqa: E402, F403  # settings are a module by Django's design

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
AUDIT_SIGNING_KEY = os.environ["AUDIT_SIGNING_KEY"]  # tests do the worker's work in their own process
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
WHITENOISE_AUTOREFRESH = True  # no collected files in tests
