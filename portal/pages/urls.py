"""The client's addresses, under `/e/<code>/`. The list of projects, `/e/`, stands in `portal.urls` as `client_home`."""

from __future__ import annotations

from django.urls import path

from portal.pages.views import agreeing, changing, connecting, fronts, holding, keepsakes, talking, visiting

app_name = "client"
urlpatterns = [
    path("<slug:code>/", fronts.front, name="front"),
    path("<slug:code>/agree/", agreeing.agree, name="agree"),
    path("<slug:code>/decline/", agreeing.decline, name="decline"),
    path("<slug:code>/change/", changing.change, name="change"),
    path("<slug:code>/change/agree/", changing.change_agree, name="change_agree"),
    path("<slug:code>/change/decline/", changing.change_keep, name="change_decline"),
    path("<slug:code>/change/undo/", changing.change_let_go, name="change_undo"),
    path("<slug:code>/question/", talking.question, name="question"),
    path("<slug:code>/colleague/", talking.colleague, name="colleague"),
    path("<slug:code>/colleague/told/", talking.colleague_named, name="colleague_named"),
    path("<slug:code>/connect/", connecting.connect, name="connect"),
    path("<slug:code>/hand-over/", connecting.hand_over, name="hand_over"),
    path("<slug:code>/trouble/", connecting.trouble, name="trouble"),
    path("<slug:code>/account/use/", connecting.account_use, name="account_use"),
    path("<slug:code>/account/keep/", connecting.account_keep, name="account_keep"),
    path("<slug:code>/live/", connecting.live, name="live"),
    path("<slug:code>/check/", connecting.check, name="check"),
    path("<slug:code>/pause/", holding.pause, name="pause"),
    path("<slug:code>/resume/", holding.resume, name="resume"),
    path("<slug:code>/door/", holding.door, name="door"),
    path("<slug:code>/end/", holding.end, name="end"),
    path("<slug:code>/open-visits/", visiting.sessions, name="sessions"),
    path("<slug:code>/open-visits/end/", visiting.sessions_end, name="sessions_end"),
    path("<slug:code>/end-visits.sh", visiting.sessions_script, name="sessions_script"),
    path("<slug:code>/key/", connecting.key, name="key"),
    path("<slug:code>/key.sh", connecting.key_script, name="key_script"),
    path("<slug:code>/deleted/", holding.deleted, name="deleted"),
    path("<slug:code>/template/", connecting.template, name="template"),
    path("<slug:code>/connect.sh", connecting.connect_script, name="connect_script"),
    path("<slug:code>/remove.sh", connecting.delete_script, name="delete_script"),
    path("<slug:code>/main.tf.json", connecting.terraform, name="terraform"),
    path("<slug:code>/activity.csv", keepsakes.activity_table, name="activity_table"),
    path("<slug:code>/visits/", visiting.visits, name="visits"),
    path("<slug:code>/receipt/", keepsakes.receipt, name="receipt"),
    path("<slug:code>/receipt.pdf", keepsakes.receipt_pdf, name="receipt_pdf"),
    path("<slug:code>/certificate.pdf", keepsakes.certificate_pdf, name="certificate_pdf"),
    path("<slug:code>/consent.json", keepsakes.consent_json, name="consent_json"),
    path("<slug:code>/certificate/", keepsakes.certificate, name="certificate"),
]
