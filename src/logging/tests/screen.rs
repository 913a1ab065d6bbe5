//! Live bars: how they look, and that they and log lines share a terminal without tearing.
