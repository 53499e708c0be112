"""What a capture was made of, as files that a person can change, and solving from them again.

``folder.py`` says which files there are; ``changes.py`` what was changed in them; ``resume.py`` what follows from that.
"""

from mocap3d.stages.folder import check_new, save_stages
from mocap3d.stages.resume import solve_stages

__all__ = ["check_new", "save_stages", "solve_stages"]
