"""The one place that touches mmengine's internals: its Runner made safe, atomic and exact."""
