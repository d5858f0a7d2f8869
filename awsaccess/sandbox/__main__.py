"""`python -m awsaccess.sandbox --port N --state-dir DIR`: the simulated AWS, on the loopback address only."""

from __future__ import annotations

import argparse

from awsaccess.sandbox.run import add_arguments, run


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m awsaccess.sandbox", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args()
    run(options.port, options.state_dir, options.portal_origin)


if __name__ == "__main__":
    main()
