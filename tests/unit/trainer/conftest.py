"""As in a rank: without the compiler, whose import takes longer than most of these tests together."""

from trainer.without_compiler import skip_compiler

skip_compiler()
