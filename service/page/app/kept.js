// What the browser keeps for the page; where it is told to keep nothing, until the page is left.

const storage = (name) => {
  try {
    return window[name];
  } catch {
    return {};
  }
};

export const forTab = storage("sessionStorage");
export const forGood = storage("localStorage");
