(function () {
  var film = document.getElementById("film");
  if (!film) { return; }
  var frames = film.querySelectorAll("img"), slider = document.getElementById("slider");
  var play = document.getElementById("play"), when = document.getElementById("when"), timer = null;
  function show(index) {
    frames.forEach(function (frame, position) { frame.classList.toggle("on", position === index); });
    slider.value = index;
    when.textContent = frames[index].alt;
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "play";
  }
  play.addEventListener("click", function () {
    if (timer) { stop(); return; }
    var next = Number(slider.value) === frames.length - 1 ? 0 : Number(slider.value);
    show(next);
    play.textContent = "stop";
    timer = setInterval(function () {
      next += 1;
      if (next >= frames.length) { stop(); return; }
      show(next);
    }, 500);
  });
  slider.addEventListener("input", function () { stop(); show(Number(slider.value)); });
  film.classList.add("moving");
  document.getElementById("controls").hidden = false;
  show(frames.length - 1);
})();
