"""The operator's console at `/console`: a page, what it shows, and what it can do. Off without ADMIN_KEYS_FILE."""

from starlette.routing import Route

from gateway.addresses import networks
from gateway.apikeys import load_keys
from gateway.console import files
from gateway.console.actions import Actions
from gateway.console.admins import Admins
from gateway.console.live import Live
from gateway.console.watch import Watch
from gateway.settings import GatewaySettings
from gateway.turns import Turns
from wire.connect import Store
from wire.jobs import Jobs
from wire.journal import Journal
from wire.ledger import Ledger
from wire.overview import Overview


def routes(settings: GatewaySettings, store: Store, turns: Turns, jobs: Jobs) -> list[Route]:
    """All of the console; nothing when it is off. ValueError, with one sentence, when the file of keys is no good."""
    if settings.admin_keys_file is None:
        return []
    keys = load_keys(settings.admin_keys_file, "ADMIN_KEYS_FILE")
    admins = Admins(keys, networks(settings.trusted_proxies or ""))
    ledger, journal = Ledger(store), Journal(store)
    watch = Watch(Overview(store), ledger, journal)
    actions = Actions(admins, ledger, jobs, journal, watch)
    return [
        *files.routes(),
        Route("/console/live", Live(admins, watch, turns).live),
        Route("/console/accounts", actions.add, methods=["POST"]),
        Route("/console/accounts/{name}/{order}", actions.order, methods=["POST"]),
        Route("/console/answers/{answer}/stop", actions.stop, methods=["POST"]),
    ]
