"""The client's addresses, under `/e/<code>/`. The list of projects, `/e/`, stands in `portal.urls` as `client_home`."""

from __future__ import annotations

from django.urls import path

from portal.pages import views

app_name = "client"
urlpatterns = [
    path("<slug:code>/", views.front, name="front"),
    path("<slug:code>/agree/", views.agree, name="agree"),
    path("<slug:code>/decline/", views.decline, name="decline"),
    path("<slug:code>/change/", views.change, name="change"),
    path("<slug:code>/change/agree/", views.change_agree, name="change_agree"),
    path("<slug:code>/change/decline/", views.change_keep, name="change_decline"),
    path("<slug:code>/change/undo/", views.change_let_go, name="change_undo"),
    path("<slug:code>/question/", views.question, name="question"),
    path("<slug:code>/colleague/", views.colleague, name="colleague"),
    path("<slug:code>/colleague/told/", views.colleague_named, name="colleague_named"),
    path("<slug:code>/connect/", views.connect, name="connect"),
    path("<slug:code>/hand-over/", views.hand_over, name="hand_over"),
    path("<slug:code>/trouble/", views.trouble, name="trouble"),
    path("<slug:code>/account/use/", views.account_use, name="account_use"),
    path("<slug:code>/account/keep/", views.account_keep, name="account_keep"),
    path("<slug:code>/live/", views.live, name="live"),
    path("<slug:code>/check/", views.check, name="check"),
    path("<slug:code>/pause/", views.pause, name="pause"),
    path("<slug:code>/resume/", views.resume, name="resume"),
    path("<slug:code>/door/", views.door, name="door"),
    path("<slug:code>/end/", views.end, name="end"),
    path("<slug:code>/open-visits/", views.sessions, name="sessions"),
    path("<slug:code>/open-visits/end/", views.sessions_end, name="sessions_end"),
    path("<slug:code>/end-visits.sh", views.sessions_script, name="sessions_script"),
    path("<slug:code>/key/", views.key, name="key"),
    path("<slug:code>/key.sh", views.key_script, name="key_script"),
    path("<slug:code>/deleted/", views.deleted, name="deleted"),
    path("<slug:code>/template/", views.template, name="template"),
    path("<slug:code>/connect.sh", views.connect_script, name="connect_script"),
    path("<slug:code>/remove.sh", views.delete_script, name="delete_script"),
    path("<slug:code>/main.tf.json", views.terraform, name="terraform"),
    path("<slug:code>/activity.csv", views.activity_table, name="activity_table"),
    path("<slug:code>/visits/", views.visits, name="visits"),
    path("<slug:code>/receipt/", views.receipt, name="receipt"),
    path("<slug:code>/receipt.pdf", views.receipt_pdf, name="receipt_pdf"),
    path("<slug:code>/certificate.pdf", views.certificate_pdf, name="certificate_pdf"),
    path("<slug:code>/consent.json", views.consent_json, name="consent_json"),
    path("<slug:code>/certificate/", views.certificate, name="certificate"),
]
