"""The simulated AWS: for the demo, the tests and the benchmarks. Nothing in production imports it.

It judges the product independently: it knows nothing of `awsaccess.aws`, `.policy` and `.provision`.
"""

from __future__ import annotations
