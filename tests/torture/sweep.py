"""Going through all calls of a scenario, several at a time."""
import concurrent.futures
import contextlib
import os
import sys
import threading

import postgres
from ledger import Ledger, counted, hit_in
from rig import Violation, check_clean, check_store
from scenarios import all_scenarios


@contextlib.contextmanager
def scenarios_of(programs, wanted):
    """Those of these names; all, where there are none. PostgreSQL runs as long as the block, where one of them needs it."""
    scenarios = all_scenarios(programs)
    known = [*scenarios, *postgres.NAMES]
    for name in wanted:
        if name not in known:
            sys.exit(f"there is no scenario {name}: {' '.join(known)}")
    wanted = wanted or known
    server = postgres.Postgres() if set(wanted) & set(postgres.NAMES) else None
    try:
        if server:
            scenarios |= postgres.postgres_scenarios(programs, server)
        yield [scenarios[name] for name in wanted]
    finally:
        if server:
            server.stop()


class Sweep:
    def __init__(self, programs, scenario, folder):
        self.programs = programs
        self.scenario = scenario
        self.folder = os.path.join(folder, scenario.name)
        self.template = os.path.join(self.folder, "template")
        os.makedirs(self.template)
        scenario.make(self.template)
        self.places = threading.local()
        self.numbers = iter(range(1 << 30))

    def place(self):
        """A folder of this thread's own."""
        if not hasattr(self.places, "folder"):
            self.places.folder = os.path.join(self.folder, f"work{next(self.numbers)}")
        return self.places.folder

    def injector(self, place, *options):
        return [self.programs.injector, "--log", f"{place}.log", *options]

    def baseline(self, *options):
        """Without a fault: how many calls there are, and everything that is acknowledged is durable."""
        place = self.place()
        self.scenario.fresh(self.template, place)
        outcome = self.scenario.run(place, self.injector(place, *options))
        if not outcome.complete:
            raise Violation(f"{self.scenario.name} does not complete without any fault: {outcome.refusals}")
        self.check(place, outcome)
        ledger = Ledger.of(self.scenario.store(place), f"{place}.log")
        if ledger.faults:
            raise Violation(f"{self.scenario.name}: {ledger.faults[0]}")
        return counted(f"{place}.log")[0], ledger.acknowledged

    def check(self, place, outcome, **how):
        check_store(self.programs, self.scenario.store(place), outcome.promised, outcome.gone, self.scenario.catalog(place), **how)

    def try_one(self, judge, *options):
        """One run with a fault, judged; False where no call was hit."""
        place = self.place()
        self.scenario.fresh(self.template, place)
        log = f"{place}.log"
        try:
            outcome = self.scenario.run(place, self.injector(place, *options))
            if not counted(log)[1]:
                return False
            judge(outcome)
            self.check(place, outcome, read=False)
            ledger = Ledger.of(self.scenario.store(place), log)
            if ledger.faults:
                raise Violation(ledger.faults[0])
            outcome = self.scenario.finish(place, outcome)
            self.check(place, outcome)
            check_clean(self.programs, self.scenario.store(place), self.scenario.catalog(place))
        except Violation as broken:
            raise Violation(f"{self.scenario.name}, {' '.join(options)}, {hit_in(log)}: {broken}") from broken
        return True

    def go(self, judge, option_lists, threads):
        """How many runs were hit, and the promises that were broken."""
        hits, broken = 0, []
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            for done in concurrent.futures.as_completed([pool.submit(self.try_one, judge, *options) for options in option_lists]):
                try:
                    hits += 1 if done.result() else 0
                except Violation as found:
                    broken.append(str(found))
                    print(found, file=sys.stderr, flush=True)
        return hits, broken


def lied_to(programs, name, folder, *lie):
    """A negative control: the scenario by a kernel that says of some calls that they are done and does not do them. What was found wrong."""
    sweep = Sweep(programs, all_scenarios(programs)[name], folder)
    place = sweep.place()
    sweep.scenario.fresh(sweep.template, place)
    outcome = sweep.scenario.run(place, sweep.injector(place, *lie, "--lie"))
    ledger = Ledger.of(sweep.scenario.store(place), f"{place}.log")
    if ledger.faults:
        raise Violation(ledger.faults[0])
    sweep.check(place, outcome)
