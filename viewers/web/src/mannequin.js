// The mannequin that mocap3d writes into a GLB, moved by the animation in the same file.
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

export class Mannequin {
  /** bytes: the GLB; fps: frames per second of the motion. */
  static async from(bytes, fps) {
    const { scene, animations } = await new GLTFLoader().parseAsync(bytes, "");
    return new Mannequin(scene, animations[0], fps);
  }

  constructor(scene, animation, fps) {
    this.object = scene;
    this.fps = fps;
    scene.traverse((part) => {
      if (part.isMesh) part.frustumCulled = false;
    });
    this.mixer = new THREE.AnimationMixer(scene);
    const action = this.mixer.clipAction(animation);
    action.setLoop(THREE.LoopOnce);
    action.clampWhenFinished = true;
    action.play();
    this.end = animation.duration;
  }

  /** Show a frame; later_s: how much later than the animation frame 0 is. */
  set(frame, later_s = 0) {
    this.mixer.setTime(Math.min(frame / this.fps + later_s, this.end - 1e-6)); // at the very end the mixer would begin again
    this.object.updateMatrixWorld(true);
  }

  dispose() {
    this.mixer.stopAllAction();
    this.object.removeFromParent();
    this.object.traverse((part) => {
      part.geometry?.dispose();
      part.material?.dispose();
    });
  }
}
