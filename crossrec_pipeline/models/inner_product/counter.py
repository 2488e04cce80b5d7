"""Items' vectors in; what counts best where they are out."""

import numpy as np
import torch

from crossrec_pipeline.models.inner_product.compiled_counter import CompiledCounter
from crossrec_pipeline.models.inner_product.counts import ScoreCounter
from crossrec_pipeline.models.inner_product.factors import ItemFactors
from crossrec_pipeline.models.inner_product.torch_counter import TorchCounter


def score_counter(factors: ItemFactors, group: np.ndarray | None = None) -> ScoreCounter:
    """Make a counter for vectors.

    Parameters
    ----------
    factors
        On any device; float32 on the CPU is fast.
    group
        Group of each item, int [n_items]; None is one group.
    """
    weight = factors.weight
    if weight.device.type == "cpu" and weight.dtype == torch.float32:
        return CompiledCounter(factors, group)
    return TorchCounter(factors, group)
