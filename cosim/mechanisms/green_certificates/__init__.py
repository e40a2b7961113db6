"""Hourly certificates of renewable origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cosim.mechanisms.green_certificates.settings import CertificateSettings
from cosim.plugins.mechanism import Mechanism
from cosim.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.green_certificates.panel import CertificatesReported
    from cosim.mechanisms.play import Service
    from cosim.scenario import Scenario


class GreenCertificatesMechanism(Mechanism[CertificateSettings]):
    """A meter's renewable energy becomes a certificate once, is traded and is retired."""

    section: ClassVar[str] = "certificates"
    title: ClassVar[str] = "Certificates"
    summary: ClassVar[str] = (
        "hourly proofs of renewable origin (docs/contracts/green-certificates.md)"
    )
    settings_type = CertificateSettings
    rank: ClassVar[int] = 40
    contracts: ClassVar[tuple[str, ...]] = ("GreenCertificates",)

    def check_scenario(self, scenario: Scenario) -> None:
        """Refuse intervals that do not each lie in one clock hour."""
        step_s = scenario.time.step_s
        if SECONDS_PER_HOUR % step_s:
            raise ValueError(
                f"time.step_s ({step_s}) must divide the hour: certificates are issued by the hour"
            )
        if scenario.clock().start_s % step_s:
            raise ValueError(
                f"time.start must be a whole number of steps of {step_s} s after the hour: "
                "certificates are issued by the hour"
            )

    def deploy(self, deployment: Deployment, scenario: Scenario) -> Service:
        """Deploy the contract and fund those who buy."""
        from cosim.mechanisms.green_certificates.play import CertificatesService
        from cosim.mechanisms.green_certificates.terms import certificate_terms

        terms = certificate_terms(scenario, self.settings, deployment.members)
        return CertificatesService.deploy(deployment, scenario.clock(), terms)

    @classmethod
    def reported(cls) -> type[CertificatesReported]:
        """Return the class that reads its part of a result."""
        from cosim.mechanisms.green_certificates.panel import CertificatesReported

        return CertificatesReported
