"""Pictures and movies of motion, made without a display.

```
scene = read_scene("stages/")                                  # or walk.bvh, dance.fbx, results.h5 ...
render_movie(scene, "walk.mp4")                                # a camera that shows all of it
render_movie(scene, "turn.mp4", view=View(kind="turntable"))
render_movie(scene, "over.mp4", view=View(kind="overlay"))     # over the video, through the estimated camera
write_png(render_picture(scene, 40), "frame.png")
write_png(render_sheet(scene, columns=6, look=Look(background="transparent")), "figure.png")
```

Needs pyrender (``pip install 'mocap3d[render]'``) and OpenGL in software: docs/render.md says which system packages.
"""

from __future__ import annotations

from mocap3d.viewers.render.drawing import (
    Background,
    Look,
    frames_between,
    render_movie,
    render_picture,
    render_sheet,
)
from mocap3d.viewers.render.figures import Colours, Style
from mocap3d.viewers.render.movie import write_png
from mocap3d.viewers.render.scene import Scene, read_scene, scene_of_clip
from mocap3d.viewers.render.views import Kind, View

__all__ = [
    "Background",
    "Colours",
    "Kind",
    "Look",
    "Scene",
    "Style",
    "View",
    "frames_between",
    "read_scene",
    "render_movie",
    "render_picture",
    "render_sheet",
    "scene_of_clip",
    "write_png",
]
