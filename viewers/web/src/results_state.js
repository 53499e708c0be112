// What a test cannot see in pixels: window.mocap3d, to be read only.

export function expose(page) {
  window.mocap3d = Object.freeze({
    get state() {
      const { state, timeline, take } = page;
      return { ...state, hidden: [...state.hidden], playing: timeline.playing, speed: timeline.speed, subject: take.subject, action: take.action, cameraName: page.cameras[state.camera]?.name ?? "" };
    },
    get drawn() {
      return page.stage.drawn;
    },
    get drawnFrame() {
      return page.scene.drawnFrame;
    },
    get held() {
      return page.rows.held;
    },
    get received() {
      return page.source.bytes;
    },
    get scored() {
      return page.scores ? [page.scores.done, page.scores.total] : [0, -1];
    },
    eye: () => page.stage.camera.position.toArray(),
    xOf: (frame) => page.plot.xOf(frame),
    jointOnScreen: (model, joint) => page.scene.jointOnScreen(model, joint),
    stage: page.stage,
  });
}
