"""The defences of the methods by which clients prove who they are, each taken out."""

from __future__ import annotations

from typing import Final

from .mutation import without

ROUTER: Final = "core/router.py"
WAMPCRA: Final = "authentication/wampcra.py"
SCRAM: Final = "authentication/scram.py"
CRYPTOSIGN: Final = "authentication/cryptosign.py"
TLS: Final = "authentication/tls.py"
SOURCES: Final = "authentication/sources.py"

ANSWERS: Final = "answers to challenges: replayed, passed on, guessed"
EXISTS: Final = "finding out who exists"
BETWEEN: Final = "someone between client and router, over two TLS connections"
CERTIFICATES: Final = "client certificates: of strangers, of a proxy, expired meanwhile"
STOLEN: Final = "a store's or a procedure's credentials or tokens under a name of the configuration or of the router"

MUTATIONS: Final = (
    without(
        STOLEN,
        "the router's own names, for tokens",
        "authentication/ticket.py",
        '        if user.partition(".")[0] == "wampgate":\n',
        "        if False:\n",
        "test_ticket.py::test_refusals_are_told_apart_in_the_log_only",
    ),
    without(
        ANSWERS,
        "a nonce in wampcra's challenge, its session and its time",
        WAMPCRA,
        '                "nonce": secrets.token_urlsafe(16),\n                "timestamp": time,\n'
        '                "session": session,\n',
        "",
        "test_wampcra.py::test_a_signature_is_good_for_its_own_challenge_only",
    ),
    without(
        ANSWERS,
        "the router's own nonce in scram",
        SCRAM,
        "b64encode(secrets.token_bytes(_NONCE_BYTES)).decode()",
        '"A" * 24',
        "test_scram.py::test_a_proof_is_good_for_its_own_exchange_only",
        "test_methods.py::test_what_one_saw_of_another_s_login_opens_nothing",
    ),
    without(
        ANSWERS,
        "the randomness of cryptosign's challenge",
        CRYPTOSIGN,
        "message = secrets.token_bytes(_CHALLENGE_BYTES)",
        "message = bytes(_CHALLENGE_BYTES)",
        "test_cryptosign.py::test_a_signature_is_good_for_its_own_challenge_only",
        "test_methods.py::test_what_one_saw_of_another_s_login_opens_nothing",
    ),
    without(
        ANSWERS,
        "the count of wrong answers",
        SOURCES,
        "return JoinRefused(uri.AUTHENTICATION_DENIED, NOT_ACCEPTED, log)",
        "return JoinRefused(uri.AUTHENTICATION_FAILED, NOT_ACCEPTED, log)",
        "test_guessing_answers.py::test_an_address_has_so_many_guesses",
    ),
    without(
        ANSWERS,
        "the look at the guesses before HELLO's look-up",
        "core/guessing.py",
        'return None if authmethod == "anonymous" else alone(session)',
        "return None",
        "test_guessing_answers.py::test_sources_are_not_asked_for_an_address_that_has_none_left",
    ),
    without(
        EXISTS,
        "wampcra's made-up challenge",
        WAMPCRA,
        "asked = Asked(made_up, unknown=found) if isinstance(found, str) else found\n",
        "if isinstance(found, str):\n            raise denied(found)\n        asked = found\n",
        "test_wampcra.py::test_nobody_is_answered_like_somebody",
        "test_credential_sources.py::test_who_is_denied_learns_it_at_the_end_like_everyone",
    ),
    without(
        EXISTS,
        "scram's made-up challenge",
        SCRAM,
        "asked = Asked(made_up, unknown=found) if isinstance(found, str) else found\n",
        "if isinstance(found, str):\n            raise denied(found)\n        asked = found\n",
        "test_scram.py::test_nobody_is_answered_like_somebody",
    ),
    without(
        EXISTS,
        "the sameness of what is made up",
        "authentication/mock_credentials.py",
        "return shake_256(self._key + text).digest(count)",
        "return secrets.token_bytes(count)",
        "test_scram.py::test_nobody_is_answered_like_somebody",
        "test_credential_sources.py::test_what_is_made_up_stays_the_same_and_looks_like_what_is_known",
    ),
    without(
        EXISTS,
        "the refusal of a right signature by a key that nobody has",
        CRYPTOSIGN,
        "if not fits or asked.unknown:",
        "if not fits:",
        "test_cryptosign.py::test_a_key_that_nobody_has_is_answered_like_one_that_somebody_has",
    ),
    without(
        BETWEEN,
        "the channel in what cryptosign signs",
        CRYPTOSIGN,
        "        signed = message if binding is None else _bound(message, *binding)\n",
        "        signed = message\n",
        "test_cryptosign.py::test_what_is_signed_over_another_channel_opens_nothing",
    ),
    without(
        BETWEEN,
        "the refusal of a binding that is not there",
        "authentication/channel_binding.py",
        '        raise _refusal("authextra.channel_binding is not there on this connection", there)\n',
        "        return None\n",
        "test_scram.py::test_a_binding_that_is_not_there_is_refused_not_left_out",
        "test_cryptosign.py::test_a_binding_that_is_not_there_is_refused_not_left_out",
    ),
    without(
        CERTIFICATES,
        "the look at who vouches",
        "composition/endpoints.py",
        "    context.set_verify(SSL.VERIFY_PEER | required)\n",
        "    context.set_verify(SSL.VERIFY_PEER | required, lambda *_: True)\n",
        "test_client_certificates.py::test_certificates_that_no_authority_of_ours_vouches_for",
    ),
    without(
        CERTIFICATES,
        "the requirement of a certificate",
        "composition/endpoints.py",
        "required = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if certificates.required else 0",
        "required = 0",
        "test_client_certificates.py::test_certificates_can_be_required",
    ),
    without(
        CERTIFICATES,
        "knowing a proxy by its address",
        "transports/sniffer.py",
        "relayed=self.factory.proxies.trusts(host)",
        "relayed=False",
        "test_client_certificates.py::test_a_proxy_s_own_certificate_is_not_its_clients",
    ),
    without(
        CERTIFICATES,
        "the end with the certificate",
        TLS,
        "replace(asked, expires=ends)",
        "asked",
        "test_client_certificates.py::test_a_session_ends_when_its_certificate_does",
        "test_tls_certificates.py::test_the_session_ends_when_the_certificate_does",
    ),
    without(
        STOLEN,
        "the check of names",
        SOURCES,
        "                self._check(found)\n",
        "",
        "test_credential_sources.py::test_no_source_gives_away_what_is_the_configuration_s_or_the_router_s",
    ),
    without(
        STOLEN,
        "the comparison of the fingerprint",
        TLS,
        'str(known.secret.get("fingerprint")).lower() != fingerprint or ',
        "",
        "test_tls_certificates.py::test_a_source_that_does_not_look_at_the_fingerprint_gives_nothing_away",
    ),
)
