"""Which tickets get which advantage: the largest saving that the limits allow, found exactly."""
