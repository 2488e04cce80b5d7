"""torchrun for a program that waits for it: the arguments are torchrun's, the exit code says all.

It is in a process group of its own. A Ctrl-C at the terminal would otherwise come to it twice, from
the terminal and from the program that started it, and at the second one it no longer waits for its
processes to write their checkpoint.
"""

import os
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main


def launch(arguments: Sequence[str]) -> int:
    """Run torchrun, and return 0, 1 where a process failed, or 130 after an interruption.

    The error of the process that failed first is left in the file that ``TORCHELASTIC_ERROR_FILE``
    names.
    """
    os.setpgid(0, 0)
    try:
        main(list(arguments))
    except SignalException:
        return 130
    except ChildFailedError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
