"""From a scenario to the parts of a run: the grid, the prosumers on it, the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cosim.attacks.attackers import check_named
from cosim.attacks.deviations import Deviation
from cosim.attacks.preparation import attacked_blocks, prepare_attack
from cosim.chain.blocks import Background, FeeStrategy
from cosim.chain.chain import Chain
from cosim.chain.consensus import MOST_CONTESTED, Consensus
from cosim.chain.roles import key_ring
from cosim.devices.load import Load
from cosim.devices.population import Population
from cosim.devices.ratings import net_range_wh
from cosim.errors import NodeError, ProfileError, ScenarioError
from cosim.evm.accounts import Account
from cosim.evm.engine import Engine, create_engine
from cosim.evm.journal import JOURNAL, JournalledEngine, ResumableEngine
from cosim.evm.options import EngineOptions, NodeSettings
from cosim.grid.areas import areas_of
from cosim.grid.catalogue import GridCase, open_grid
from cosim.grid.feeders import feeders_of
from cosim.grid.points import as_dso_knows, with_connection_point, with_slack_voltage
from cosim.grid.tap_control import TapControls
from cosim.grid.unmetered import Metering, drawn_metering
from cosim.inputs.kept import located
from cosim.mechanisms.deployment import Deployment, found, genesis_s
from cosim.mechanisms.local_market.areas import market_areas, market_of
from cosim.mechanisms.local_market.bilateral.edges import with_edges
from cosim.mechanisms.local_market.tariffs import tariffs_of
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.membership import members
from cosim.plugins.mechanism import added_names
from cosim.prosumers.bidding import Bidders
from cosim.prosumers.community_battery import with_shared_battery
from cosim.prosumers.elements import profile_columns, read_elements
from cosim.prosumers.forecasting.history import load_before
from cosim.prosumers.forecasting.reports import Known
from cosim.prosumers.forecasts import make_forecasts, make_models
from cosim.prosumers.placement import with_pv_placed
from cosim.prosumers.population import build_population
from cosim.prosumers.profiles import load_window
from cosim.prosumers.variation import with_variation
from cosim.runs.clearing_limits import check_clearing_fits
from cosim.scenario import Scenario
from cosim.scenario.grid import SlackProcessSettings, SlackVoltageSettings
from cosim.scenario.prosumers import ProsumerSeeds
from cosim.seeds import assign_shares, child_seed
from cosim.units import SECONDS_PER_HOUR, FloatArray, wei_from_gwei

VM_PU = "vm_pu"
LEAST_VM_PU, MOST_VM_PU = 0.5, 1.5
"""Range of voltages of the grid above; what is beyond is in another unit. [pu]"""


def prepare_grid(scenario: Scenario) -> GridCase:
    """Return the network at the scenario's slack voltage, with connection points of mechanisms."""
    grid = open_grid(scenario.grid.network, scenario.file.parent if scenario.file else None)
    for file, wanted in scenario.grid.sha256.items():
        if (digest := grid.digests[file]) != wanted:
            raise ScenarioError(
                f"{grid.folder / file} has the SHA-256 {digest}, not {wanted}",
                file=scenario.file,
                field=f"grid.sha256.{file}",
                remedy="make the grid with cosim grids import and the versions of "
                "requirements.lock, or leave the line out: the run is then of another grid",
            )
    if scenario.grid.slack_voltage is not None:
        grid = with_slack_voltage(grid, slack_voltage(scenario, scenario.grid.slack_voltage))
    for mechanism in scenario.mechanisms():
        for name, bus in mechanism.added_points():
            grid = with_connection_point(grid, name, bus)
    is_foreign = any(one.replaces == "grid" for one in scenario.simulators)
    if is_foreign and TapControls.of(grid.net).trafo_idx.size:
        raise ScenarioError(
            "another simulator takes the place of the grid, and does not say where the tap "
            "controllers of the network leave their taps",
            file=scenario.file,
            field="simulators",
            remedy="leave the grid to cosim, or take a network without the table tap_control",
        )
    return grid


def write_out_graph(scenario: Scenario, grid: GridCase) -> Scenario:
    """Return the scenario with the edges of its trading graph, if it has one."""
    points = grid.connection_points
    names = tuple(points["name"].astype(str))
    return with_edges(scenario, names, lambda: feeders_of(grid.net, points))


def dso_network(scenario: Scenario, net: Any) -> Any:
    """Return the network as the scenario's DSO models it; the same where nothing differs."""
    settings = scenario.grid.dso_model
    if settings is None:
        return net
    return as_dso_knows(net, settings.impedance_factor, settings.tap_offset)


def metering_of(scenario: Scenario, names: Sequence[str]) -> Metering | None:
    """Return which connection points the scenario's DSO sees; None if it sees all."""
    settings = scenario.grid.dso_model
    if settings is None:
        return None
    return drawn_metering(
        names, settings.unmetered_share, scenario.seed, added_names(scenario.mechanisms())
    )


def slack_voltage(scenario: Scenario, settings: SlackVoltageSettings) -> float | FloatArray:
    """Return the voltage of the grid above: one for all intervals, or (T,) of them. [pu]

    Raises
    ------
    ProfileError
        If the series does not cover the run, or holds what is no voltage.
    """
    time = scenario.time
    if settings.process is not None:
        rng = np.random.default_rng(child_seed(np.random.SeedSequence(scenario.seed), SLACK_SEED))
        return drawn_voltage(settings.process, time.intervals, time.step_s, rng)
    if settings.file is None:
        return float(settings.vm_pu or 1.0)
    file = located(settings.file, scenario.file.parent if scenario.file else None)
    vm_pu = load_window(file, [VM_PU], time.start, time.intervals, time.step_s)[VM_PU]
    if not ((vm_pu > LEAST_VM_PU) & (vm_pu < MOST_VM_PU)).all():
        at = int(np.argmin((vm_pu > LEAST_VM_PU) & (vm_pu < MOST_VM_PU)))
        raise ProfileError(
            f"is {vm_pu[at]:g} pu in interval {at}, not between {LEAST_VM_PU} and {MOST_VM_PU}",
            file=file,
            field=VM_PU,
            remedy="give the voltage per unit of the nominal voltage of the bus",
        )
    return vm_pu


def drawn_voltage(
    settings: SlackProcessSettings, n_intervals: int, step_s: int, rng: np.random.Generator
) -> FloatArray:
    """Draw the voltage of the grid above, (n_intervals,). [pu]

    An autoregressive process of the first order in its stationary state,
    ``x_t = a x_(t-1) + sqrt(1 - a^2) s e_t`` with normal ``e_t`` (Box, Jenkins and Reinsel, Time
    Series Analysis, section 3.2.3): mean and standard deviation hold from the first interval on.
    """
    a = settings.autocorrelation ** (step_s / SECONDS_PER_HOUR)
    draws = rng.standard_normal(n_intervals)
    x: FloatArray = np.empty(n_intervals)
    x[0] = draws[0]
    for t in range(1, n_intervals):
        x[t] = a * x[t - 1] + np.sqrt(1.0 - a * a) * draws[t]
    return settings.mean_pu + settings.deviation_pu * x


def prepare_prosumers(scenario: Scenario, grid: GridCase) -> tuple[Population, Bidders]:
    """Return prosumers with their profiles, and their agents."""
    settings, time = scenario.prosumers, scenario.time
    names = tuple(grid.connection_points["name"].astype(str))
    elements_file = grid.folder / "elements.csv"
    elements = read_elements(grid.elements, names, elements_file)
    elements = with_pv_placed(elements, names, settings.pv_share, scenario.seed)
    columns = profile_columns(elements)
    profiles = load_window(grid.profiles_file, columns, time.start, time.intervals, time.step_s)
    seeds = ProsumerSeeds.spawn(scenario.seed)

    def populate(own: Mapping[str, FloatArray]) -> Population:
        return build_population(
            elements,
            names,
            settings,
            own,
            time.step_s,
            seeds.devices,
            elements_file=elements_file,
            profiles_file=grid.profiles_file,
        )

    population = populate(profiles)
    areas = market_areas(
        scenario, names, areas_of(grid.connection_points), members(scenario, names)
    )
    markets = market_of(areas, len(names))
    folder = scenario.file.parent if scenario.file else None
    models = make_models(settings.forecast, population, seeds.forecasts, folder)
    before = load_before(
        grid.profiles_file,
        columns,
        time.start,
        models.days,
        time.step_s,
        is_needed=models.learn,
    )
    past = populate(before) if before else None
    published = {}
    if settings.variation is not None:
        published = {Load.kind: population.of(Load).p_mw}
        population, past = with_variation(
            population, past, settings.variation, seeds.variation, time.start
        )
    found = (each.shared_battery(scenario, names) for each in scenario.mechanisms())
    shared = next((battery for battery in found if battery is not None), None)
    if shared is not None:
        population = with_shared_battery(population, shared)
        past = None if past is None else with_shared_battery(past, shared)
    check_named(scenario, population)
    lead_s, metering_s = scenario.market.order_lead_s, scenario.market.metering_s
    known = Known(time.start, lead_s, metering_s, past, published, markets)
    forecasts = make_forecasts(population, settings.forecast, seeds.forecasts, known, models)
    tariffs = tariffs_of(scenario)
    return population, Bidders(
        population, forecasts, settings, tariffs, seeds, shared=shared, market_of=markets
    )


SETUP_GAS_LIMIT = 30_000_000
"""Least gas limit of the blocks before the first order window: creating the contracts needs it."""

CONSENSUS_SEED, _FEES_SEED, SLACK_SEED = 18, 19, 20
"""Keys among the children of the scenario's seed."""


def consensus_of(scenario: Scenario) -> Consensus:
    """Return the rules by which the scenario's chain agrees on blocks."""
    ledger = scenario.ledger
    return Consensus(
        kind=ledger.consensus,
        block_time_s=ledger.block_time_s,
        validators=ledger.validators,
        failed_validators=ledger.failed_validators,
        missed_slot_probability=ledger.missed_slot_probability,
        round_timeout_s=ledger.round_timeout_s,
        propagation_delay_s=ledger.propagation_delay_s,
    )


def begin_consensus(scenario: Scenario, chain: Chain, prosumers: Sequence[Account]) -> None:
    """End the set-up: blocks come as the scenario's consensus has it, at the prosumers' own fees.

    Parameters
    ----------
    scenario : Scenario
    chain : Chain
        With the contracts deployed and everybody's accounts funded.
    prosumers : sequence of Account
        In connection-point order.
    """
    ledger, root = scenario.ledger, np.random.SeedSequence(scenario.seed)
    consensus = consensus_of(scenario)
    # the set-up may have left the last of its blocks unused: the consensus begins at the window
    opens_s = scenario.clock().window_opens_s(0)
    chain.mine_until(opens_s)
    chain.begin(
        consensus.schedule(chain.now_s, np.random.default_rng(child_seed(root, CONSENSUS_SEED))),
        block_gas_limit=ledger.block_gas_limit,
        confirmations=ledger.confirmations,
        horizon_blocks=max(MOST_CONTESTED if consensus.forks else 0, attacked_blocks(scenario)),
        propagation_s=ledger.propagation_delay_s,
    )
    shares = [strategy.share for strategy in ledger.fee_strategies]
    if not shares:
        return
    followed = assign_shares(
        len(prosumers),
        [*shares, max(0.0, 1.0 - sum(shares))],
        np.random.default_rng(child_seed(root, _FEES_SEED)),
    )
    for account, which in zip(prosumers, followed.tolist(), strict=True):
        if which < len(shares):
            own = ledger.fee_strategies[which]
            fees = FeeStrategy(
                wei_from_gwei(own.tip_gwei),
                round(10 * own.rise_percent_per_block),
                own.base_fee_factor,
            )
            chain.set_fees(account.address, fees)


def prepare_ledger(
    scenario: Scenario,
    scenario_file: Path,
    population: Population,
    engine: Engine | None = None,
    area_of: Sequence[str] = (),
) -> tuple[Deployment, Deviation]:
    """Chain and contracts, set up before the first order window opens; and who deviates.

    ``engine`` is given where it is on a node; else it is made by its name in the scenario.
    ``area_of`` has the area of each connection point.
    """
    ledger, clock = scenario.ledger, scenario.clock()
    joined = members(scenario, population.names)
    areas = market_areas(scenario, population.names, area_of or ("",) * population.n, joined)
    most = max((len(area.points) for area in areas if area.trades), default=sum(joined))
    check_clearing_fits(scenario, scenario_file, most)
    own_share, cap = 1.0 - ledger.others_gas_share, ledger.transaction_gas_limit
    setup_gas_limit = max(ledger.block_gas_limit, SETUP_GAS_LIMIT)
    chain = Chain(
        engine or create_engine(ledger.engine),
        genesis_s(
            clock.window_opens_s(0),
            ledger.block_time_s,
            round(own_share * setup_gas_limit),
            population.n,
            sum(not each.is_default for each in scenario.mechanisms()),
            sum(each.setup_wait_s() for each in scenario.mechanisms()),
            max(len(areas), 1),
        ),
        ledger.block_time_s,
        setup_gas_limit,
        initial_base_fee_wei=wei_from_gwei(ledger.initial_base_fee_gwei),
        tip_wei=wei_from_gwei(ledger.tip_gwei),
    )
    chain.transaction_gas_limit = cap
    chain.background = Background(
        ledger.others_gas_share, wei_from_gwei(ledger.initial_base_fee_gwei)
    )
    deployment = found(chain, scenario.seed, population.names, population.meters, joined)
    least_wh, most_wh = (energies.tolist() for energies in net_range_wh(population))
    ranges_wh = tuple(zip(least_wh, most_wh, strict=True))
    deployment = replace(deployment, ranges_wh=ranges_wh, areas=areas)
    attack = prepare_attack(scenario, deployment)
    deployment = replace(deployment, attack=attack.ledger, readings=attack.meters)
    deploy_mechanisms(scenario, deployment)
    return deployment, attack.deviation


def deploy_mechanisms(scenario: Scenario, deployment: Deployment) -> None:
    """Deploy what a scenario asks for, in the order of the ranks, and fund everybody.

    What every run has is deployed first and funded together; the others set themselves up.

    Raises
    ------
    ContractRevert
        If a contract refuses a step of the set-up.
    EngineError
        If the set-up does not finish before the first order window.
    """
    mechanisms = scenario.mechanisms()
    for mechanism in (each for each in mechanisms if each.is_default):
        deployment.plays.append(mechanism.deploy(deployment, scenario))
    wallet_ueur = MarketTerms.of(scenario).account_ueur
    deployment.fund(wallet_ueur, scenario.clock().window_opens_s(0))
    for mechanism in (each for each in mechanisms if not each.is_default):
        deployment.plays.append(mechanism.deploy(deployment, scenario))


@contextmanager
def node_engine(
    scenario: Scenario, population: Population, node: NodeSettings, folder: Path, resume: bool
) -> Iterator[Engine]:
    """Engine of a run on a node, with a journal in the folder that is being written.

    Parameters
    ----------
    scenario : Scenario
    population : Population
        Whose keys sign.
    node : NodeSettings
    folder : Path
        Takes the journal, which is removed by who finishes the result.
    resume : bool
        Whether the journal that lies there answers first.

    Raises
    ------
    NodeError
        If the node does not answer, or its clock cannot be set.
    """
    keys = key_ring(scenario.seed, population.names, population.meters)
    engine = create_engine(scenario.ledger.engine, EngineOptions(keys, node, takes_over=resume))
    if not isinstance(engine, ResumableEngine):
        raise NodeError(f"engine {scenario.ledger.engine} cannot play a run on a node")
    digest = hashlib.sha256(scenario.to_yaml().encode()).hexdigest()
    with closing(JournalledEngine(engine, folder / JOURNAL, digest, resume=resume)) as journalled:
        yield journalled
