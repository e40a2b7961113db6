"""Hourly certificates of renewable origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cosim.mechanisms.green_certificates.settings import CertificateSettings
from cosim.mechanisms.green_certificates.tables import TABLES
from cosim.plugins.mechanism import Mechanism
from cosim.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from cosim.gas.cases import GasCases
    from cosim.mechanisms.deployment import Deployment
    from cosim.mechanisms.green_certificates.panel import CertificatesReported
    from cosim.mechanisms.play import Play
    from cosim.replay.checks import MechanismChecks
    from cosim.results.columns import Table
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
    tables: ClassVar[tuple[Table, ...]] = TABLES
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

    def deploy(self, deployment: Deployment, scenario: Scenario) -> Play:
        """Deploy the contract and fund those who buy."""
        from cosim.mechanisms.green_certificates.play import GreenCertificatesPlay
        from cosim.mechanisms.green_certificates.terms import certificate_terms

        terms = certificate_terms(scenario, self.settings, deployment.members)
        return GreenCertificatesPlay.deploy(deployment, scenario.clock(), terms)

    @classmethod
    def gas(cls) -> GasCases:
        """Return the transactions that ``cosim gas`` measures."""
        from cosim.mechanisms.green_certificates.gas import CASES

        return CASES

    def checks(self) -> MechanismChecks[CertificateSettings]:
        """Return what recomputes its table."""
        from cosim.mechanisms.green_certificates.checks import CertificateChecks

        return CertificateChecks(self.settings)

    @classmethod
    def reported(cls) -> type[CertificatesReported]:
        """Return the class that reads its part of a result."""
        from cosim.mechanisms.green_certificates.panel import CertificatesReported

        return CertificatesReported
