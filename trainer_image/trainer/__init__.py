"""The trainer: runs in each pod, trains, saves, stops when it is asked to, and says how it ended.

`trainer.session.Run` is the seam for programs of one's own; `trainer.export.load` opens an exported model.
"""
