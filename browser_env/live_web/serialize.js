// Serializes a drawn page as [URL, HTML]. Returns null if it has little text and may show more, "loading" while its source
// is being read.
//
// The HTML records what only a browser knows: text that is hidden by any style sheet or script is wrapped in <span hidden>,
// shadow trees are in the place where they are shown, and <details> are open.
(maxLength, short, isLast) => {
  if (!document.documentElement) return isLast ? [location.href, ""] : null;
  if (!isLast && document.readyState === "loading") return "loading";
  if (!isLast && (document.body?.innerText ?? "").trim().length < short) return null;

  for (const details of document.querySelectorAll("details")) details.open = true;

  const NOT_TEXT = new Set(["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "TITLE", "TEXTAREA", "OPTION"]);
  const colors = new Map(); // background color of each element; null for a picture or a translucent color
  const behind = (element) => {
    if (!element) return "rgb(255, 255, 255)";
    if (colors.has(element)) return colors.get(element);
    const style = getComputedStyle(element);
    const backgroundColor = style.backgroundColor;
    const outer = element.parentElement || (element.getRootNode().host ?? null);
    let color;
    if (style.backgroundImage !== "none") color = null;
    else if (backgroundColor === "rgba(0, 0, 0, 0)") color = behind(outer);
    else color = backgroundColor.startsWith("rgba") ? null : backgroundColor;
    colors.set(element, color);
    return color;
  };
  const isSeen = (element) => {
    if (!element.checkVisibility({ visibilityProperty: true })) return false;
    const style = getComputedStyle(element);
    if (parseFloat(style.fontSize) === 0 || style.contentVisibility === "hidden") return false;
    return style.color !== "rgba(0, 0, 0, 0)" && (style.color !== behind(element) || style.textShadow !== "none");
  };

  const roots = [document.body ?? document.documentElement];
  const hidden = [];
  for (const root of roots) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.nodeType === Node.ELEMENT_NODE) {
        if (node.shadowRoot) roots.push(node.shadowRoot);
      } else if (node.data.trim() && node.parentElement && !NOT_TEXT.has(node.parentElement.tagName)) {
        if (!isSeen(node.parentElement)) hidden.push(node);
      }
    }
  }
  for (const node of hidden) {
    const span = document.createElement("span");
    span.hidden = true;
    node.replaceWith(span);
    span.append(node);
  }
  for (const root of roots.slice(1).reverse()) {
    for (const slot of root.querySelectorAll("slot")) {
      const assigned = slot.assignedNodes();
      slot.replaceWith(...(assigned.length ? assigned : slot.childNodes));
    }
    root.host.replaceChildren(...[...root.childNodes].filter((node) => node.nodeName !== "STYLE"));
  }
  return [location.href, "<!DOCTYPE html>" + document.documentElement.outerHTML.slice(0, maxLength)];
}
