// The mesh, to be turned by pointer, finger or keys. three.js is loaded when the first mesh comes; where `make web` has
// not bundled it, or the browser has no WebGL, open() throws and the page shows six views.

const FIELD_OF_VIEW = 32;
const AZIMUTH = (25 * Math.PI) / 180; // a little to the side: a front view alone looks like a photo
const ELEVATION = (12 * Math.PI) / 180;
const FILL = 0.92; // distance of the camera, in distances at which the ball around the mesh just fits
const KEY_TURN = Math.PI / 18;
const KEY_ZOOM = 1.15;
const CLAY = 0xc4beb6;

const canvas = document.getElementById("viewer");

/** Return a viewer of the canvas: {show, reset, setWireframe, setClay}. */
export async function open() {
  const three = await import("./vendor/three.js");
  const renderer = new three.WebGLRenderer({ canvas, antialias: true, alpha: true });
  renderer.setPixelRatio(Math.min(2, devicePixelRatio));
  const scene = new three.Scene();
  const sun = new three.DirectionalLight(0xffffff, 1.1);
  scene.add(new three.HemisphereLight(0xffffff, 0xbfb8b0, 2.4), sun);
  const camera = new three.PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 100);
  const controls = new three.OrbitControls(camera, canvas);
  controls.enablePan = false;
  const state = { model: null, wireframe: false, clay: false, looks: new Map() };

  // Drawn when something changes; a mesh that lies still costs nothing.
  let isAsked = false;
  function redraw() {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      sun.position.copy(camera.position).add(new three.Vector3(-0.6, 1, 0).multiplyScalar(camera.position.length() / 2));
      renderer.render(scene, camera);
    });
  }

  function fit() {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !height) return;
    renderer.setSize(width, height, false);
    camera.aspect = width / height;
    camera.updateProjectionMatrix();
    redraw();
  }

  function reset() {
    if (!state.model) return;
    const ball = new three.Box3().setFromObject(state.model).getBoundingSphere(new three.Sphere());
    const narrow = Math.min(1, camera.aspect);
    const distance = (FILL * ball.radius) / (Math.sin((FIELD_OF_VIEW * Math.PI) / 360) * narrow);
    const flat = Math.cos(ELEVATION) * distance;
    controls.target.copy(ball.center);
    camera.position
      .set(Math.sin(AZIMUTH) * flat, Math.sin(ELEVATION) * distance, Math.cos(AZIMUTH) * flat)
      .add(ball.center);
    camera.near = distance / 100;
    camera.far = distance * 10;
    controls.minDistance = ball.radius;
    controls.maxDistance = distance * 3;
    camera.updateProjectionMatrix();
    controls.update();
    redraw();
  }

  function turn(right, up) {
    const arm = camera.position.clone().sub(controls.target);
    const distance = arm.length();
    const azimuth = Math.atan2(arm.x, arm.z) - right;
    const elevation = Math.min(1.5, Math.max(-1.5, Math.asin(arm.y / distance) + up));
    arm.set(Math.sin(azimuth) * Math.cos(elevation), Math.sin(elevation), Math.cos(azimuth) * Math.cos(elevation));
    camera.position.copy(controls.target).addScaledVector(arm, distance);
    controls.update();
    redraw();
  }

  function zoom(by) {
    const arm = camera.position.clone().sub(controls.target);
    const distance = Math.min(controls.maxDistance, Math.max(controls.minDistance, arm.length() * by));
    camera.position.copy(controls.target).add(arm.setLength(distance));
    controls.update();
    redraw();
  }

  function dress() {
    for (const [mesh, look] of state.looks) {
      look.wireframe = state.wireframe;
      look.vertexColors = !state.clay && Boolean(mesh.geometry.attributes.color);
      look.map = state.clay ? null : look.userData.map;
      look.color.set(state.clay || !(look.vertexColors || look.map) ? CLAY : 0xffffff);
      look.needsUpdate = true;
    }
    redraw();
  }

  async function show(glb) {
    const { scene: model } = await new three.GLTFLoader().parseAsync(await glb.arrayBuffer(), "");
    if (state.model) scene.remove(state.model);
    for (const [mesh, look] of state.looks) {
      mesh.geometry.dispose();
      look.userData.map?.dispose();
      look.dispose();
    }
    state.looks.clear();
    model.traverse((part) => {
      if (!part.isMesh) return;
      const map = part.material.map;
      if (!part.geometry.attributes.normal) part.geometry.computeVertexNormals();
      part.material = new three.MeshStandardMaterial({ roughness: 0.9, metalness: 0 });
      part.material.userData.map = map;
      state.looks.set(part, part.material);
    });
    const isFirst = state.model === null;
    state.model = model;
    scene.add(model);
    dress();
    fit();
    if (isFirst) reset(); // a mesh made anew is looked at from where the last one was
  }

  canvas.addEventListener("keydown", (event) => {
    const keys = {
      ArrowLeft: () => turn(KEY_TURN, 0),
      ArrowRight: () => turn(-KEY_TURN, 0),
      ArrowUp: () => turn(0, KEY_TURN),
      ArrowDown: () => turn(0, -KEY_TURN),
      "+": () => zoom(1 / KEY_ZOOM),
      "=": () => zoom(1 / KEY_ZOOM),
      "-": () => zoom(KEY_ZOOM),
      0: reset,
      Home: reset,
      w: () => document.getElementById("wireframe").click(),
    };
    if (event.ctrlKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  controls.addEventListener("change", redraw);
  new ResizeObserver(fit).observe(canvas);

  return {
    show,
    reset,
    forget() {
      if (state.model) scene.remove(state.model);
      state.model = null;
      redraw();
    },
    setWireframe(on) {
      state.wireframe = on;
      dress();
    },
    setClay(on) {
      state.clay = on;
      dress();
    },
  };
}
