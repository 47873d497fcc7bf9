"""What the dashboards show."""

from boards.autopilot import AUTOPILOT
from boards.dials import DIALS
from boards.gpu import GPU
from boards.overview import OVERVIEW
from boards.redis import REDIS

BOARDS = {
    "overview": OVERVIEW,
    "dials": DIALS,
    "autopilot": AUTOPILOT,
    "redis": REDIS,
    "gpu": GPU,
}
