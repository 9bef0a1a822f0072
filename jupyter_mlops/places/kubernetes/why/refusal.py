"""Why the API refused to make something."""

from __future__ import annotations

import re

from ....core.cluster import Problem
from .facts import Json, sentence

_QUOTA = re.compile(
    r"exceeded quota: (?P<quota>[^,]+), requested: (?P<requested>.+?), used: (?P<used>.+?), limited: (?P<limited>.+)$"
)
_MAY_NOT = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r'(?:.* in the namespace "(?P<namespace>[^"]+)")?'
)
_WEBHOOK = re.compile(r'admission webhook "(?P<webhook>[^"]+)" denied the request:?\s*(?P<words>.*)', re.DOTALL)
_POLICY = re.compile(r"ValidatingAdmissionPolicy '(?P<policy>[^']+)'.* denied request:\s*(?P<words>.*)", re.DOTALL)
_ABOVE_LIMIT = re.compile(r"must be less than or equal to (?P<resource>\S+) limit")
_MUST_SPECIFY = re.compile(r"failed quota: (?P<quota>[^:]+): must specify (?P<fields>.+)$")


def refusal(status: int, answer: Json) -> Problem:
    """What the API's answer to a refused request means, always with the API's own words.

    `status` is the HTTP status, `answer` the body (a Kubernetes `Status`).
    """
    message = sentence(answer.get("message")) or f"the API answered {status}"
    reason = answer.get("reason", "")
    if found := _QUOTA.search(message):
        return Problem(
            what=f"The namespace's quota {found['quota']!r} is used up",
            why=f"requested {found['requested']}, used {found['used']} of {found['limited']}",
            todo="Stop something, ask for fewer or smaller workers, or ask who runs the cluster for more.",
        )
    if found := _MUST_SPECIFY.search(message):
        return Problem(
            what=f"The namespace's quota {found['quota']!r} wants every pod to name {found['fields']}",
            todo="Set it in the pod template.",
        )
    if found := _MAY_NOT.search(message):
        namespace = f" in the namespace {found['namespace']!r}" if found["namespace"] else ""
        return Problem(
            what=f"{_person(found['user'])} may not {found['verb']} {found['resource']}{namespace}",
            why=message,
            todo="`jupyter mlops kubernetes check` says what is missing and prints what an administrator would apply.",
        )
    return _by_admission(message, status, str(reason))


def _by_admission(message: str, status: int, reason: str) -> Problem:
    if found := _WEBHOOK.search(message):
        return Problem(
            what=f"The cluster's rule {found['webhook']!r} refuses the pod",
            why=sentence(found["words"]),
            todo="Change the pod template.",
        )
    if found := _POLICY.search(message):
        return Problem(
            what=f"The cluster's policy {found['policy']!r} refuses the pod",
            why=sentence(found["words"]),
            todo="Do as it says; or ask who runs the cluster.",
        )
    if "violates PodSecurity" in message:
        return Problem(
            what="The namespace's Pod Security level refuses the pod",
            why=message,
            todo="Take what it names out of the pod template; without a template the pods pass 'restricted'.",
        )
    if re.search(r"(maximum|minimum) \S+ usage per (Container|Pod)", message):
        return Problem(
            what="The namespace's limit range refuses the pod's size",
            why=message,
            todo="Change the group's CPUs or memory.",
        )
    if found := _ABOVE_LIMIT.search(message):
        return Problem(
            what=f"The pod asks for more {'CPU' if found['resource'] == 'cpu' else found['resource']} than its limit",
            why=message,
            todo="Ask for less: the limit is set by a limit range of the namespace, or by the pod template.",
        )
    if "is being terminated" in message:
        return Problem(what="The namespace is being deleted", why=message, todo="Use another namespace.")
    if reason == "NotFound" and "namespaces" in message:
        return Problem(
            what="The namespace does not exist", why=message, todo="Create it, or name another in the profile."
        )
    if "priority class" in message.lower() or "priorityclass" in message.lower():
        return Problem(
            what="The priority class can't be used", why=message, todo="Change priorityClassName in the pod template."
        )
    if "serviceaccount" in message and "not found" in message:
        return Problem(what="The pod's service account does not exist", why=message)
    if status == 401:
        return Problem(
            what="Kubernetes doesn't accept your login", why=message, todo="Log in again, as you do for kubectl."
        )
    if status == 422 or reason == "Invalid":
        return Problem(what="Kubernetes finds the pod invalid", why=message, todo="Correct the pod template.")
    if status == 429 or status >= 500:
        return Problem(
            what="Kubernetes is too busy, or not well", why=message, todo="Nothing to do: it is tried again."
        )
    return Problem(what="Kubernetes refused the request", why=message)


def _person(user: str) -> str:
    return (
        f"The service account {user.rsplit(':', 1)[1]!r}"
        if user.startswith("system:serviceaccount:")
        else f"The user {user!r}"
    )
