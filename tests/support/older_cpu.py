"""Makes PyTorch believe in a CPU that is older than AVX-512, on any machine."""

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
"""Variables of a process; read when PyTorch first computes."""
