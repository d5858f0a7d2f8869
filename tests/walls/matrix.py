"""Who is answered what: the status of each address, for each method and each person of the world.

Under one or more addresses (name, then route) stand three lines: `GET` (HEAD is the same), `POST`, and `else` for PUT,
PATCH, DELETE and OPTIONS. The columns are the people, in the order of `ACTORS`. The objects in the addresses are those
of client X of practice A; 302 leads to the sign-in, to a seat, or on after something was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.walls.actors import ACTORS

HEADINGS: Final = """
          anon  lone  ownr  asgn  unas  audi  left  xapp  xvie  xaws  xlft  yapp  bown
"""
TABLE: Final = """
# Open to whoever asks: they say nothing about anybody.
healthz  healthz
readyz  readyz
account_inactive  account/inactive/
  GET     200   200   200   200   200   200   200   200   200   200   200   200   200
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# In which language somebody reads. 422: asked for none.
language  language/
# Whoever has a paper may check it. 422: neither a file nor a reference was sent.
verify  verify/
# For who has just bought something. 422: sent without the fields; 410: a link that is over.
intake  to/<slug:practice>/
  GET     200   200   200   200   200   200   200   200   200   200   200   200   200
  POST    422   422   422   422   422   422   422   422   422   422   422   422   422
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# Asked without an address.
find  find/
  GET     200   200   200   200   200   200   200   200   200   200   200   200   200
  POST    422   422   422   422   422   422   422   422   422   422   422   422   422
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# Whoever holds a link may say that it is not theirs; asked without an address, nothing happens to it.
not_mine  i/<str:token>/not-mine/
  GET     200   200   200   200   200   200   200   200   200   200   200   200   200
  POST    422   422   422   422   422   422   422   422   422   422   422   422   422
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

intake_sent  to/<slug:practice>/sent/
intake_done  to/<slug:practice>/done/
brand_sheet  brand/<str:digest>.css
  GET     200   200   200   200   200   200   200   200   200   200   200   200   200
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# There is no logo with the hash of the stylesheet.
brand_logo  brand/<str:digest>.png
  GET     404   404   404   404   404   404   404   404   404   404   404   404   404
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

intake_confirm  to/<slug:practice>/<str:mark>/
  GET     410   410   410   410   410   410   410   410   410   410   410   410   410
  POST    410   410   410   410   410   410   410   410   410   410   410   410   410
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# Shops sign what they tell; who cannot is told nothing. No cookie counts here, so no form is forged.
order_hook  hooks/<slug:shop>/
  GET     405   405   405   405   405   405   405   405   405   405   405   405   405
  POST    400   400   400   400   400   400   400   400   400   400   400   400   400
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# What the practice sells, and how it looks: owners.
admin:accounts_practice_changelist  console/accounts/practice/
admin:engagements_engagementtemplate_changelist  console/engagements/engagementtemplate/
admin:engagements_intakepage_changelist  console/engagements/intakepage/
admin:engagements_shop_changelist  console/engagements/shop/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   200
  POST    302   404   405   405   405   405   404   404   404   404   404   404   405
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:accounts_practice_change  console/accounts/practice/<str:object_id>/
admin:engagements_engagementtemplate_change  console/engagements/engagementtemplate/<str:object_id>/
admin:engagements_intakepage_change  console/engagements/intakepage/<str:object_id>/
admin:engagements_shop_change  console/engagements/shop/<str:object_id>/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   404
  POST    302   404   405   405   405   405   404   404   404   404   404   404   405
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# 422: allowed, and asked without the fields.
admin:engagements_engagementtemplate_add  console/engagements/engagementtemplate/add/
admin:engagements_shop_add  console/engagements/shop/add/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   200
  POST    302   404   422   403   403   403   404   404   404   404   404   404   422
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:accounts_practice_brand  console/accounts/practice/<str:object_id>/brand/
admin:engagements_engagementtemplate_edit  console/engagements/engagementtemplate/<str:object_id>/edit/
admin:engagements_intakepage_edit  console/engagements/intakepage/<str:object_id>/edit/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   404
  POST    302   404   422   403   403   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# The page makes drafts of the template, so it cannot go.
admin:engagements_engagementtemplate_retire  console/engagements/engagementtemplate/<str:object_id>/retire/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   404
  POST    302   404   422   403   403   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# A page is set up once. A shop that was closed is left as it is: owners are led back to it.
admin:engagements_intakepage_add  console/engagements/intakepage/add/
  GET     302   404   403   403   403   403   404   404   404   404   404   404   403
  POST    302   404   403   403   403   403   404   404   404   404   404   404   403
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:engagements_shop_secret  console/engagements/shop/<str:object_id>/secret/
admin:engagements_shop_stripe  console/engagements/shop/<str:object_id>/stripe/
admin:engagements_shop_edit  console/engagements/shop/<str:object_id>/edit/
admin:engagements_shop_close  console/engagements/shop/<str:object_id>/close/
  GET     302   404   302   403   403   403   404   404   404   404   404   404   404
  POST    302   404   302   403   403   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# The console's lists: everybody sees their own practice's, and for others there is no console.
admin:index  console/
admin:menu  console/menu/
admin:engagements_engagement_changelist  console/engagements/engagement/
admin:awsaccess_grant_changelist  console/awsaccess/grant/
admin:awsaccess_visit_changelist  console/awsaccess/visit/
admin:awsaccess_hub_changelist  console/awsaccess/hub/
admin:accounts_client_changelist  console/accounts/client/
admin:accounts_membership_changelist  console/accounts/membership/
admin:accounts_invitation_changelist  console/accounts/invitation/
admin:accounts_contact_changelist  console/accounts/contact/
admin:engagements_practiceprofile_changelist  console/engagements/practiceprofile/
  GET     302   404   200   200   200   200   404   404   404   404   404   404   200
  POST    302   404   405   405   405   405   404   404   404   404   404   404   405
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:login  console/login/
admin:logout  console/logout/
  GET     302   404   302   302   302   302   404   404   404   404   404   404   302
  POST    405   404   405   405   405   405   404   404   404   404   404   404   405
  else    405   404   405   405   405   405   404   404   404   404   404   404   405

# One engagement and what hangs on it: for those who work on it, own the practice, or audit.
admin:engagements_engagement_preview  console/engagements/engagement/<str:object_id>/preview/
admin:engagements_engagement_consents  console/engagements/engagement/<str:object_id>/consents.json
admin:engagements_engagement_change  console/engagements/engagement/<str:object_id>/
admin:awsaccess_grant_change  console/awsaccess/grant/<str:object_id>/
admin:awsaccess_visit_change  console/awsaccess/visit/<str:object_id>/
admin:accounts_invitation_change  console/accounts/invitation/<str:object_id>/
  GET     302   404   200   200   404   200   404   404   404   404   404   404   404
  POST    302   404   405   405   405   405   404   404   404   404   404   404   405
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# A draft for a client of A: the owner of B is told that there is no such choice.
admin:engagements_engagement_add  console/engagements/engagement/add/
  GET     302   404   200   200   200   403   404   404   404   404   404   404   200
  POST    302   404   302   302   302   403   404   404   404   404   404   404   422
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:engagements_engagement_open  console/engagements/engagement/<str:object_id>/open/
admin:engagements_engagement_keys  console/engagements/engagement/<str:object_id>/keys/
  GET     302   404   200   200   404   403   404   404   404   404   404   404   404
  POST    302   404   200   200   404   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# Nobody rings where the offer has no doorbell: those who could are led back.
admin:engagements_engagement_ring  console/engagements/engagement/<str:object_id>/ring/
admin:engagements_engagement_emergency  console/engagements/engagement/<str:object_id>/emergency/
  GET     302   404   302   302   404   403   404   404   404   404   404   404   404
  POST    302   404   302   302   404   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# What moves an engagement: owners and those who are assigned. Auditors see it and move nothing.
admin:engagements_engagement_send  console/engagements/engagement/<str:object_id>/send/
admin:engagements_engagement_resume  console/engagements/engagement/<str:object_id>/resume/
admin:engagements_engagement_invite  console/engagements/engagement/<str:object_id>/invite/
admin:engagements_engagement_assign  console/engagements/engagement/<str:object_id>/assign/
admin:engagements_engagement_pause  console/engagements/engagement/<str:object_id>/pause/
admin:engagements_engagement_account-confirm  console/engagements/engagement/<str:object_id>/account-confirm/
admin:engagements_engagement_account-refuse  console/engagements/engagement/<str:object_id>/account-refuse/
admin:engagements_engagement_change-back  console/engagements/engagement/<str:object_id>/change-back/
admin:engagements_engagement_cancel  console/engagements/engagement/<str:object_id>/cancel/
admin:engagements_engagement_end  console/engagements/engagement/<str:object_id>/end/
admin:awsaccess_grant_rotate  console/awsaccess/grant/<str:object_id>/rotate/
admin:awsaccess_grant_check  console/awsaccess/grant/<str:object_id>/check/
  GET     302   404   200   200   404   403   404   404   404   404   404   404   404
  POST    302   404   302   302   404   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# No key is being exchanged: whoever may call it off is led back.
admin:awsaccess_grant_keep-key  console/awsaccess/grant/<str:object_id>/keep-key/
  GET     302   404   302   302   404   403   404   404   404   404   404   404   404
  POST    302   404   302   302   404   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# Every access names the hub role that is set up: owners are led back.
admin:awsaccess_grant_move  console/awsaccess/grant/<str:object_id>/move/
  GET     302   404   302   403   404   403   404   404   404   404   404   404   404
  POST    302   404   302   403   404   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# There is a hub already, and a sign-in service; nobody adds a second.
admin:awsaccess_hub_add  console/awsaccess/hub/add/
admin:accounts_signinservice_add  console/accounts/signinservice/add/
  GET     302   404   403   403   403   403   404   404   404   404   404   404   403
  POST    302   404   403   403   403   403   404   404   404   404   404   404   403
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# What belongs to the whole practice.
admin:awsaccess_hub_change  console/awsaccess/hub/<str:object_id>/
admin:accounts_client_change  console/accounts/client/<str:object_id>/
admin:engagements_practiceprofile_change  console/engagements/practiceprofile/<str:object_id>/
admin:accounts_membership_change  console/accounts/membership/<str:object_id>/
admin:accounts_contact_change  console/accounts/contact/<str:object_id>/
  GET     302   404   200   200   200   200   404   404   404   404   404   404   404
  POST    302   404   405   405   405   405   404   404   404   404   404   404   405
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:awsaccess_hub_check  console/awsaccess/hub/<str:object_id>/check/
admin:accounts_client_add-contact  console/accounts/client/<str:object_id>/add-contact/
admin:engagements_practiceprofile_retire  console/engagements/practiceprofile/<str:object_id>/retire/
  GET     302   404   200   200   200   403   404   404   404   404   404   404   404
  POST    302   404   302   302   302   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# Nothing has to move yet: owners are led back. Their walk changes the hub role later, and then it begins.
admin:awsaccess_hub_move  console/awsaccess/hub/<str:object_id>/move/
# The hub role is the one it was: owners are led back.
admin:awsaccess_hub_role-known  console/awsaccess/hub/<str:object_id>/role-known/
  GET     302   404   302   403   403   403   404   404   404   404   404   404   404
  POST    302   404   302   403   403   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:awsaccess_hub_publish  console/awsaccess/hub/<str:object_id>/publish/
admin:awsaccess_hub_edit  console/awsaccess/hub/<str:object_id>/edit/
admin:accounts_signinservice_switch  console/accounts/signinservice/<str:object_id>/switch/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   404
  POST    302   404   302   403   403   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:accounts_client_add  console/accounts/client/add/
admin:engagements_practiceprofile_add  console/engagements/practiceprofile/add/
  GET     302   404   200   200   200   403   404   404   404   404   404   404   200
  POST    302   404   302   302   302   403   404   404   404   404   404   404   302
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:accounts_membership_add  console/accounts/membership/add/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   200
  POST    302   404   302   403   403   403   404   404   404   404   404   404   302
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# The record, and how the practice's people sign in: owners and auditors.
admin:kernel_auditevent_verify  console/kernel/auditevent/verify/
admin:kernel_auditevent_changelist  console/kernel/auditevent/
admin:accounts_signinservice_changelist  console/accounts/signinservice/
  GET     302   404   200   403   403   200   404   404   404   404   404   404   200
  POST    302   404   405   405   405   405   404   404   404   404   404   404   405
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# The evidence pack takes a fresh proof, which the walk brings. Owners and auditors.
admin:engagements_engagement_evidence  console/engagements/engagement/<str:object_id>/evidence/
  GET     302   404   200   403   404   200   404   404   404   404   404   404   404
  POST    302   404   200   403   404   200   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:engagements_engagement_receipt_pdf  console/engagements/engagement/<str:object_id>/receipt.pdf
admin:engagements_engagement_certificate_pdf  console/engagements/engagement/<str:object_id>/certificate.pdf
  GET     302   404   200   200   404   200   404   404   404   404   404   404   404
  POST    302   404   405   405   405   405   404   404   404   404   404   404   405
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:kernel_auditevent_change  console/kernel/auditevent/<str:object_id>/
admin:accounts_signinservice_change  console/accounts/signinservice/<str:object_id>/
  GET     302   404   200   403   403   200   404   404   404   404   404   404   404
  POST    302   404   405   405   405   405   404   404   404   404   404   404   405
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# What is mailed: owners.
admin:kernel_outboxmessage_changelist  console/kernel/outboxmessage/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   200
  POST    302   404   405   405   405   405   404   404   404   404   404   404   405
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:kernel_outboxmessage_change  console/kernel/outboxmessage/<str:object_id>/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   404
  POST    302   404   405   405   405   405   404   404   404   404   404   404   405
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:anything  console/(?P<url>.*)$
  GET     302   404   404   404   404   404   404   404   404   404   404   404   404
  POST    302   404   404   404   404   404   404   404   404   404   404   404   404
  else    302   404   404   404   404   404   404   404   404   404   404   404   404

# The client's side. Who sits at no client is sent to sign in or to choose a seat, whatever the address.
client_home  e/
  GET     302   302   302   302   302   302   302   200   200   200   302   200   302
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

client:front  e/<slug:code>/
client:connect  e/<slug:code>/connect/
client:template  e/<slug:code>/template/
client:connect_script  e/<slug:code>/connect.sh
client:delete_script  e/<slug:code>/remove.sh
client:terraform  e/<slug:code>/main.tf.json
client:sessions  e/<slug:code>/open-visits/
client:key  e/<slug:code>/key/
  GET     302   302   302   302   302   302   302   200   200   200   302   404   302
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# 409: agreed to without the seal of the page that was read.
client:change_agree  e/<slug:code>/change/agree/
client:agree  e/<slug:code>/agree/
  GET     302   302   302   302   302   302   302   302   403   403   302   404   302
  POST    302   302   302   302   302   302   302   409   403   403   302   404   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

client:change_undo  e/<slug:code>/change/undo/
  GET     302   302   302   302   302   302   302   302   403   403   302   404   302
  POST    302   302   302   302   302   302   302   302   403   403   302   404   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# Another account is asked for by who may agree, and by nobody else.
client:account_use  e/<slug:code>/account/use/
client:account_keep  e/<slug:code>/account/keep/
  GET     405   405   405   405   405   405   405   405   405   405   405   405   405
  POST    302   302   302   302   302   302   302   302   403   403   302   404   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

client:decline  e/<slug:code>/decline/
client:change_decline  e/<slug:code>/change/decline/
client:pause  e/<slug:code>/pause/
client:resume  e/<slug:code>/resume/
client:end  e/<slug:code>/end/
  GET     302   302   302   302   302   302   302   200   403   403   302   404   302
  POST    302   302   302   302   302   302   302   302   403   403   302   404   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# Readers ask and name colleagues; that decides nothing.
client:question  e/<slug:code>/question/
client:colleague  e/<slug:code>/colleague/
  GET     302   302   302   302   302   302   302   200   200   403   302   404   302
  POST    302   302   302   302   302   302   302   302   302   403   302   404   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# Approvers hand the step in AWS on. What AWS says is explained to whoever does the step.
client:hand_over  e/<slug:code>/hand-over/
  GET     302   302   302   302   302   302   302   200   403   403   302   404   302
  POST    302   302   302   302   302   302   302   302   403   403   302   404   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

client:trouble  e/<slug:code>/trouble/
  GET     302   302   302   302   302   302   302   200   403   200   302   404   302
  POST    302   302   302   302   302   302   302   200   403   200   302   404   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# A press without an answer only shows who rings.
client:door  e/<slug:code>/door/
  GET     302   302   302   302   302   302   302   200   403   403   302   404   302
  POST    302   302   302   302   302   302   302   200   403   403   302   404   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

client:live  e/<slug:code>/live/
  GET     302   302   302   302   302   302   302   302   302   302   302   404   302
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# The step in AWS: who decides, and who does it there. Viewers read.
client:check  e/<slug:code>/check/
client:deleted  e/<slug:code>/deleted/
  GET     405   405   405   405   405   405   405   405   405   405   405   405   405
  POST    302   302   302   302   302   302   302   302   403   302   302   404   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# Who only helps with AWS is led back to the page of the step.
client:change  e/<slug:code>/change/
  GET     302   302   302   302   302   302   302   200   200   302   302   404   302
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# 409: no role was ever seen in AWS, so no visit can be open.
client:sessions_end  e/<slug:code>/open-visits/end/
  GET     405   405   405   405   405   405   405   405   405   405   405   405   405
  POST    302   302   302   302   302   302   302   409   403   409   302   404   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# Nobody asked for open visits to end, and no key is being exchanged, so there is no script.
client:key_script  e/<slug:code>/key.sh
client:sessions_script  e/<slug:code>/end-visits.sh
  GET     302   302   302   302   302   302   302   404   404   404   302   404   302
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

client:visits  e/<slug:code>/visits/
client:receipt  e/<slug:code>/receipt/
client:activity_table  e/<slug:code>/activity.csv
client:consent_json  e/<slug:code>/consent.json
client:colleague_named  e/<slug:code>/colleague/told/
client:certificate  e/<slug:code>/certificate/
client:receipt_pdf  e/<slug:code>/receipt.pdf
client:certificate_pdf  e/<slug:code>/certificate.pdf
  GET     302   302   302   302   302   302   302   200   200   403   302   404   302
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# A company's account. The practice's service is switched off: nobody comes in, and nobody learns that there is one.
service_pick  account/service/
  GET     200   200   200   200   200   200   200   200   200   200   200   200   200
  POST    302   302   302   302   302   302   302   302   302   302   302   302   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

service_door  account/service/<slug:practice_code>/
service_back  account/service/<slug:practice_code>/back/
  GET     200   200   200   200   200   200   200   200   200   200   200   200   200
  POST    404   404   404   404   404   404   404   404   404   404   404   404   404
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# People's own places.
home  (root)
  GET     302   302   302   302   302   302   302   302   302   302   302   302   302
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# The seat that is asked for is the approver's of X.
choose  choose/
  GET     302   200   200   200   200   200   200   200   200   200   200   200   200
  POST    302   404   404   404   404   404   404   302   404   404   404   404   404
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

welcome  welcome/
  GET     302   200   200   200   200   200   200   200   200   200   200   200   200
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

help  help/
protection  help/safety/
privacy  help/privacy/
accessibility  help/accessibility/
  GET     200   200   200   200   200   200   200   200   200   200   200   200   200
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

account_login  account/login/
account_request_login_code  account/login/
  GET     200   302   302   302   302   302   302   302   302   302   302   302   302
  POST    302   302   302   302   302   302   302   302   302   302   302   302   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

account_confirm_login_code  account/login/code/
factor_show  account/factor/
  GET     302   302   302   302   302   302   302   302   302   302   302   302   302
  POST    302   302   302   302   302   302   302   302   302   302   302   302   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# A person's own factors. Nobody of the cast has any, and consultants' sessions say that one was shown.
factor_recovery_codes  account/factors/recovery-codes/
  GET     302   302   302   302   302   302   302   302   302   302   302   302   302
  POST    302   302   302   302   302   302   302   302   302   302   302   302   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

factors  account/factors/
factor_offer  account/factors/offer/
  GET     302   200   200   200   200   200   200   200   200   200   200   200   200
  POST    405   405   405   405   405   405   405   405   405   405   405   405   405
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

factor_totp  account/factors/app/
factor_passkey  account/factors/passkey/
  GET     302   200   200   200   200   200   200   200   200   200   200   200   200
  POST    302   422   422   422   422   422   422   422   422   422   422   422   422
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

factor_remove  account/factors/<int:factor_id>/remove/
  GET     302   404   404   404   404   404   404   404   404   404   404   404   404
  POST    302   404   404   404   404   404   404   404   404   404   404   404   404
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

passkey_sign_in  account/passkey/
  GET     405   405   405   405   405   405   405   405   405   405   405   405   405
  POST    302   302   302   302   302   302   302   302   302   302   302   302   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# Links work for whoever holds them, once; the walk comes here last.
invitation  i/<str:token>/
  GET     200   200   200   200   200   200   200   200   200   200   200   200   200
  POST    302   302   302   302   302   302   302   302   302   302   302   302   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

invitation_again  i/<str:token>/again/
passkey_options  account/passkey/options/
  GET     405   405   405   405   405   405   405   405   405   405   405   405   405
  POST    200   200   200   200   200   200   200   200   200   200   200   200   200
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

account_logout  account/logout/
sessions  account/sessions/
  GET     302   200   200   200   200   200   200   200   200   200   200   200   200
  POST    302   302   302   302   302   302   302   302   302   302   302   302   302
  else    405   405   405   405   405   405   405   405   405   405   405   405   405

# 422: allowed, and asked with fields of another form; who may not is told so before any field is read.
admin:engagements_engagement_edit  console/engagements/engagement/<str:object_id>/edit/
admin:engagements_engagement_ask-change  console/engagements/engagement/<str:object_id>/ask-change/
admin:engagements_engagement_lead  console/engagements/engagement/<str:object_id>/lead/
admin:engagements_engagement_release  console/engagements/engagement/<str:object_id>/release/
  GET     302   404   200   200   404   403   404   404   404   404   404   404   404
  POST    302   404   422   422   404   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:engagements_practiceprofile_edit  console/engagements/practiceprofile/<str:object_id>/edit/
  GET     302   404   200   200   200   403   404   404   404   404   404   404   404
  POST    302   404   422   422   422   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:engagements_engagement_answer  console/engagements/engagement/<str:object_id>/answer/
  GET     302   404   200   200   404   403   404   404   404   404   404   404   404
  POST    302   404   302   302   404   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# People of a client are tended by those who work for it; others are led back to the page.
admin:accounts_contact_role  console/accounts/contact/<str:object_id>/role/
  GET     302   404   200   200   302   403   404   404   404   404   404   404   404
  POST    302   404   422   422   302   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# Mail reaches them, so that there is nothing to send again: all who may look are led back to the page.
admin:accounts_contact_resend  console/accounts/contact/<str:object_id>/resend/
  GET     302   404   302   302   302   403   404   404   404   404   404   404   404
  POST    302   404   302   302   302   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:accounts_contact_sign-out  console/accounts/contact/<str:object_id>/sign-out/
admin:accounts_contact_end  console/accounts/contact/<str:object_id>/end/
  GET     302   404   200   200   302   403   404   404   404   404   404   404   404
  POST    302   404   302   302   302   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:accounts_membership_sign-out  console/accounts/membership/<str:object_id>/sign-out/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   404
  POST    302   404   302   403   403   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

# 422, too: the world's service lies at an address that is refused before anything is asked.
admin:accounts_signinservice_try  console/accounts/signinservice/<str:object_id>/try/
admin:accounts_signinservice_edit  console/accounts/signinservice/<str:object_id>/edit/
admin:accounts_signinservice_forget  console/accounts/signinservice/<str:object_id>/forget/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   404
  POST    302   404   422   403   403   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405

admin:accounts_membership_role  console/accounts/membership/<str:object_id>/role/
admin:accounts_membership_end  console/accounts/membership/<str:object_id>/end/
  GET     302   404   200   403   403   403   404   404   404   404   404   404   404
  POST    302   404   422   403   403   403   404   404   404   404   404   404   404
  else    302   404   405   405   405   405   404   404   404   404   404   404   405
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one address answers; one status per person in each line."""

    get: tuple[int, ...]
    post: tuple[int, ...]
    other: tuple[int, ...]

    def status(self, method: str, actor: str) -> int:
        """The expected status of one cell."""
        line = {"GET": self.get, "HEAD": self.get, "POST": self.post}.get(method, self.other)
        return line[ACTORS.index(actor)]


def _read(table: str) -> dict[tuple[str, str], Row]:
    found: dict[tuple[str, str], Row] = {}
    for block in table.strip().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        get, post, other = (_line(line) for line in lines[-3:])
        for line in lines[:-3]:
            name, route = line.split(maxsplit=1)
            key = (name, route.replace("(root)", ""))
            assert key not in found, f"two rows for {name}"
            found[key] = Row(get=get, post=post, other=other)
    return found


def _line(line: str) -> tuple[int, ...]:
    statuses = tuple(map(int, line.split()[1:]))
    if len(statuses) != len(ACTORS):
        raise ValueError(f"one status per person is needed: {line}")
    return statuses


EXPECTED: Final[Mapping[tuple[str, str], Row]] = _read(TABLE)
