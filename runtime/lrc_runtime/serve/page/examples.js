// Texts written for this page, by language.

export const examples = [
  {
    lang: "en",
    name: "English",
    context:
      "The lighthouse on Skerry Point was lit for the first time in the autumn of 1871. Its keeper, Agnes Muir, climbed" +
      " the 142 steps every evening for thirty years and wrote down the name of every ship that she saw. In 1934 the" +
      " lamp was given an electric motor, and the last keeper moved to the village, where he opened a bakery.",
    question: "How many steps did Agnes Muir climb?",
  },
  {
    lang: "ar",
    name: "العربية",
    context:
      "بنت مريم الحداد الطاحونة القديمة على ضفة النهر سنة ١٨١٢، وكانت تطحن القمح لثلاث قرى مجاورة. وفي عام ١٩٥٠ تحولت" +
      " الطاحونة إلى متحف صغير يزوره تلاميذ المدارس كل ربيع، ويعرض فيه حجر الرحى الأصلي وأدوات الخبازين.",
    question: "من بنى الطاحونة القديمة؟",
  },
  {
    lang: "hi",
    name: "हिन्दी",
    context:
      "रामपुर गाँव का पुस्तकालय 1962 में एक पुराने डाकघर में खोला गया था। इसकी पहली पुस्तकाध्यक्ष सुशीला देवी थीं, जिन्होंने बीस वर्षों में" +
      " आठ हज़ार किताबें इकट्ठी कीं। आज वहाँ हर रविवार को बच्चों के लिए कहानियाँ पढ़ी जाती हैं।",
    question: "पुस्तकालय की पहली पुस्तकाध्यक्ष कौन थीं?",
  },
  {
    lang: "de",
    name: "Deutsch",
    context:
      "Die Seilbahn von Hinterbach wurde 1928 gebaut und fährt in elf Minuten auf den Rosskopf. Entworfen hat sie die" +
      " Ingenieurin Klara Wendt, die auch die Talstation aus Lärchenholz zeichnete. Im Winter fährt die Bahn nur am" +
      " Wochenende.",
    question: "Woraus ist die Talstation gebaut?",
  },
  {
    lang: "zh",
    name: "中文",
    context:
      "青石桥建于1736年，由石匠林文德设计，横跨清水河。桥长四十八米，共有七个桥孔。每年端午节，村民都会在桥上观看龙舟比赛。",
    question: "青石桥是谁设计的？",
  },
];
