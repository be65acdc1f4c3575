"""Submission by SMTP: sessions, and who was let in."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class SubmissionMetrics:
    """Counts sessions and logins."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._open = Gauge("smarthost_submission_sessions", "Open sessions.", registry=registry)
        sessions = Counter(
            "smarthost_submission_sessions_begun",
            "Connections: served, or turned away since there are too many.",
            ("result",),
            registry=registry,
        )
        self._served = sessions.labels("served")
        self._turned_away = sessions.labels("turned_away")
        logins = Counter(
            "smarthost_submission_logins",
            "Tries to log in.",
            ("result",),
            registry=registry,
        )
        self._logged_in = logins.labels("accepted")
        self._refused = logins.labels("refused")

    def begun(self) -> None:
        """Count a session that is served; `ended` follows."""
        self._served.inc()
        self._open.inc()

    def ended(self) -> None:
        """Take notice of the end of a session that had begun."""
        self._open.dec()

    def turned_away(self) -> None:
        """Count a connection that got no session."""
        self._turned_away.inc()

    def logged_in(self, *, accepted: bool) -> None:
        """Count a try to log in."""
        (self._logged_in if accepted else self._refused).inc()
